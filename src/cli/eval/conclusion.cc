// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/conclusion.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <vector>

#include "cli/eval/figures_text.hpp"
#include "evaluation/significance.hpp"

namespace qwen3guard::cli {
namespace {

using evaluation::Comparison;
using evaluation::FigureDifference;
using evaluation::GroupComparison;
using evaluation::ModeComparison;
using evaluation::PairedCounts;
using evaluation::Pairing;

/// What is called a difference.
constexpr double kSignificance = 0.05;

/// The p-values of a mode's tests; 1 for one that cannot show anything.
struct ModeTests {
  double harm = 1, alarms = 1, f1 = 1;
};

/// All tests that are made for one conclusion, their p-values adjusted by Holm's method: with several at 5 %
/// each the first that hits would too often be chance.
struct Tests {
  ModeTests strict, loose;
  double refusals = 1;
  std::size_t n = 0;
  double least_raw = 1;  ///< not adjusted

  explicit Tests(const GroupComparison& all) {
    add(strict.harm, all.strict.found);
    add(strict.alarms, all.strict.false_alarms);
    add_f1(strict.f1, all.strict);
    // What loose mode flags strict mode flags, too: equal counts are those of the same rows, and no other
    // test.
    const bool is_same_harm = all.loose.found == all.strict.found;
    const bool are_same_alarms = all.loose.false_alarms == all.strict.false_alarms;
    if (!is_same_harm) add(loose.harm, all.loose.found);
    if (!are_same_alarms) add(loose.alarms, all.loose.false_alarms);
    if (!is_same_harm || !are_same_alarms) add_f1(loose.f1, all.loose);
    add(refusals, all.refusals);
    const std::vector<double> adjusted = evaluation::holm_adjusted(raw_);
    for (std::size_t i = 0; i < adjusted.size(); ++i) *places_[i] = adjusted[i];
    n = adjusted.size();
    if (n > 0) least_raw = *std::min_element(raw_.begin(), raw_.end());
    if (is_same_harm) loose.harm = strict.harm;
    if (are_same_alarms) loose.alarms = strict.alarms;
    if (is_same_harm && are_same_alarms) loose.f1 = strict.f1;
  }
  Tests(const Tests&) = delete;
  Tests& operator=(const Tests&) = delete;

  [[nodiscard]] bool shows_any() const {
    const double least =
        std::min({strict.harm, strict.alarms, strict.f1, loose.harm, loose.alarms, loose.f1});
    return std::min(least, refusals) < kSignificance;
  }

 private:
  void add(double& place, const PairedCounts& counts) {
    if (counts.n_discordant() == 0) return;
    places_.push_back(&place);
    raw_.push_back(evaluation::mcnemar_p(counts.only_a, counts.only_b));
  }
  void add_f1(double& place, const ModeComparison& mode) {
    if (!mode.f1 || !mode.f1->interval || mode.n_discordant() < evaluation::kFewDiscordant) return;
    places_.push_back(&place);
    raw_.push_back(evaluation::p_of_interval(mode.f1->b - mode.f1->a, *mode.f1->interval));
  }

  std::vector<double*> places_;
  std::vector<double> raw_;
};

std::string p_text(double p) {
  const std::string text = p_value(p);
  return text.starts_with('<') ? "p < " + text.substr(1) : "p = " + text;
}

/// A share in points.
std::string points(double share) { return decimal(100 * share, 1); }

/// A bound in points, rounded up: it is never shown as 0.
std::string points_up(double share) {
  constexpr double kFine = 0.1, kRounding = 1e-9;
  const double value = 100 * share;
  const int decimals = value < kFine ? 2 : 1;
  const double scale = decimals == 2 ? 100 : 10;
  return decimal(std::max(1.0, std::ceil(value * scale - kRounding)) / scale, decimals);
}

/// How large a difference of shares could be either way.
std::string at_most(const PairedCounts& counts) {
  const evaluation::Interval interval = evaluation::share_difference(counts).interval;
  return "at most " + points_up(std::max(-interval.low, interval.high)) + " points either way";
}

std::string number_or_none(std::int64_t n) { return n == 0 ? "none" : grouped(n); }

/// "B misses 16 harmful rows that A finds and finds 3 that A misses (p = 0.013): ...": no end of a sentence.
std::string harm_difference(const PairedCounts& found, double p) {
  const bool is_worse = found.only_a > found.only_b;
  const std::string more = counted(is_worse ? found.only_a : found.only_b, "harmful row");
  const std::string less = number_or_none(is_worse ? found.only_b : found.only_a);
  return (is_worse ? "B misses " + more + " that A finds and finds " + less + " that A misses"
                   : "B finds " + more + " that A misses and misses " + less + " that A finds") +
         " (" + p_text(p) + "): on these rows B is " + (is_worse ? "worse" : "better") + " at finding harm";
}

std::string alarm_difference(const PairedCounts& alarms, double p) {
  const bool is_worse = alarms.only_b > alarms.only_a;
  const std::string more = counted(is_worse ? alarms.only_b : alarms.only_a, "false alarm");
  const std::string less = number_or_none(is_worse ? alarms.only_a : alarms.only_b);
  return (is_worse ? "B raises " + more + " that A does not and avoids " + less + " of A's"
                   : "B avoids " + more + " of A's and raises " + less + " that A does not") +
         " (" + p_text(p) + "): on these rows B flags " + (is_worse ? "more" : "fewer") + " safe texts";
}

/// What stands beside a difference of the other kind of rows.
std::string no_harm_difference(const PairedCounts& found) {
  if (found.n() == 0) return "no row is labelled harmful";
  return "no difference in finding harm shows (A alone finds " + grouped(found.only_a) + ", B alone " +
         grouped(found.only_b) + "; " + at_most(found) + ", 95 %)";
}

std::string no_alarm_difference(const PairedCounts& alarms) {
  if (alarms.n() == 0) return "no row is labelled Safe";
  return "no difference in false alarms shows (" + grouped(alarms.only_a) + " of A alone, " +
         grouped(alarms.only_b) + " of B alone; " + at_most(alarms) + ", 95 %)";
}

/// F1 differs although neither kind of row alone shows it.
bool is_f1_shown(const ModeComparison& mode, double p) {
  return p < kSignificance && (mode.f1->interval->low > 0 || mode.f1->interval->high < 0);
}

std::string f1_sentence(const FigureDifference& f1, double p) {
  const double low = std::min(std::abs(f1.interval->low), std::abs(f1.interval->high));
  const double high = std::max(std::abs(f1.interval->low), std::abs(f1.interval->high));
  return "F1 of B is " + points(std::abs(f1.b - f1.a)) + " points " + (f1.b < f1.a ? "lower" : "higher") +
         " (95 %: " + points(low) + " to " + points(high) + "; " + p_text(p) +
         "), by harm found and false alarms together; neither shows a difference alone.";
}

/// A change of threshold could have done the same.
std::string threshold_sentence(const ModeComparison& mode, const std::optional<FigureDifference>& auc) {
  const bool finds_less = mode.found.only_a > mode.found.only_b;
  std::string out = std::string(" B is ") + (finds_less ? "milder" : "harsher") +
                    " as a whole, which another threshold may undo: calibrate B before you judge it";
  if (auc && auc->interval)
    out += " (AUC, which has no threshold: B - A is " + points(auc->b - auc->a) + " points, 95 % " +
           points(auc->interval->low) + " to " + points(auc->interval->high) + ")";
  return out + ".";
}

/// What a mode shows; empty when it shows no difference.
std::string shown_difference(const ModeComparison& mode, const ModeTests& tests,
                             const std::optional<FigureDifference>& auc) {
  const bool harm = tests.harm < kSignificance, alarms = tests.alarms < kSignificance;
  if (harm && alarms) {
    std::string out = harm_difference(mode.found, tests.harm) + ". " +
                      alarm_difference(mode.false_alarms, tests.alarms) + ".";
    const bool is_trade =
        (mode.found.only_a > mode.found.only_b) == (mode.false_alarms.only_a > mode.false_alarms.only_b);
    return is_trade ? out + threshold_sentence(mode, auc) : out;
  }
  if (harm)
    return harm_difference(mode.found, tests.harm) + "; " + no_alarm_difference(mode.false_alarms) + ".";
  if (alarms)
    return alarm_difference(mode.false_alarms, tests.alarms) + "; " + no_harm_difference(mode.found) + ".";
  return is_f1_shown(mode, tests.f1) ? f1_sentence(*mode.f1, tests.f1) : "";
}

std::string no_difference(const GroupComparison& all) {
  const ModeComparison& mode = all.strict;
  const std::string shows = "No difference that these " + counted(all.n_labelled, "labelled row");
  std::string out;
  if (mode.f1_bound) {
    out = shows + " can show: at most " + points_up(std::max(-mode.f1_bound->low, mode.f1_bound->high)) +
          " points of F1 either way (95 %).";
  } else {
    out = "No difference in false alarms that these " + counted(mode.false_alarms.n(), "safe row") +
          " can show: " + at_most(mode.false_alarms) + " (95 %).";
  }
  const std::int64_t n_changed = mode.right.n_discordant();
  if (n_changed == 0) return out + " No row is flagged by one run only.";
  return out + " " + counted(n_changed, "row") + (n_changed == 1 ? " is" : " are") +
         " flagged by one run only: A is right in " + grouped(mode.right.only_a) + ", B in " +
         grouped(mode.right.only_b) + ".";
}

std::string unlabelled_difference(const GroupComparison& all) {
  const std::int64_t n_changed = all.n - all.n_agreed();
  return "No row has a label, so nothing says which run is right. The severity is another in " +
         grouped(n_changed) + " of " + counted(all.n, "row") + ": milder in B in " + grouped(all.n_milder()) +
         ", harsher in " + grouped(all.n_harsher()) + " (of rows like these at most " +
         points_up(evaluation::wilson_interval(n_changed, all.n).high) + " %, 95 %).";
}

std::string refusal_sentence(const PairedCounts& right, double p) {
  if (p >= kSignificance) return "";
  return " On refusals B is " + std::string(right.only_a > right.only_b ? "worse" : "better") + ": of " +
         counted(right.n(), "row") + " A alone is right in " + grouped(right.only_a) + ", B alone in " +
         grouped(right.only_b) + " (" + p_text(p) + ").";
}

/// What becomes of p-values where several tests are made.
std::string tests_sentence(const Tests& tests) {
  if (tests.n < 2) return "";
  const std::string among = std::to_string(tests.n) + " tests";
  if (tests.shows_any()) return " p: adjusted for " + among + " (Holm).";
  if (tests.least_raw >= kSignificance) return "";
  return " The least p of " + among + " is " + p_value(tests.least_raw) +
         ", which shows nothing among so many (Holm).";
}

std::string other_data_sentence(std::span<const std::string> sets) {
  if (sets.empty()) return "";
  constexpr std::size_t kNamed = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(kNamed, sets.size()); ++i)
    names += (i == 0 ? "" : ", ") + bounded_name(sets[i]);
  if (sets.size() > kNamed) names += " and " + std::to_string(sets.size() - kNamed) + " more";
  return " The runs judged different files of " + names +
         ": rows with the same id may have other texts, and then nothing here compares the models.";
}

std::string left_out(const Pairing& pairing) {
  std::string out;
  const auto n_single = static_cast<std::int64_t>(pairing.only_a.size() + pairing.only_b.size());
  if (n_single > 0) out += " Not compared: " + counted(n_single, "row") + " that only one run has.";
  const auto n_different = static_cast<std::int64_t>(pairing.different_gold.size());
  if (n_different > 0)
    out += " Not compared: " + counted(n_different, "row") +
           " whose gold answers differ between the runs, so they were not run on the same data.";
  return out;
}

std::string not_judged(const GroupComparison& all) {
  const std::int64_t in_a = all.n_not_judged_a(), in_b = all.n_not_judged_b();
  if (in_a + in_b == 0) return "";
  return " Rows that were not judged, which count as wrong: " + grouped(in_a) + " in A, " + grouped(in_b) +
         " in B.";
}

std::string times(double ratio) { return decimal(ratio, ratio < 2 ? 2 : 1); }

std::string speed_sentence(const evaluation::SpeedComparison& speed) {
  if (speed.n == 0) return "";
  constexpr double kNoticeable = 1.05;
  const double ratio = speed.ms_a / speed.ms_b;
  const std::string out = " By the recorded times ";
  if (ratio >= kNoticeable) return out + "B is " + times(ratio) + " times as fast as A.";
  if (1 / ratio >= kNoticeable) return out + "A is " + times(1 / ratio) + " times as fast as B.";
  return out + "B takes " + decimal(100 / ratio, 0) + " % of A's time.";
}

}  // namespace

std::string conclusion_of(const Pairing& pairing, const Comparison& comparison,
                          std::span<const std::string> other_data) {
  const GroupComparison& all = comparison.all;
  const Tests tests(all);
  std::string out;
  if (all.n_labelled == 0) {
    out = unlabelled_difference(all);
  } else {
    const std::string strict = shown_difference(all.strict, tests.strict, all.auc);
    const std::string loose = shown_difference(all.loose, tests.loose, all.auc);
    out = strict.empty() ? no_difference(all) : strict;
    if (strict.empty() && !loose.empty()) out += " But with Controversial counted as Safe: " + loose;
  }
  return out + refusal_sentence(all.refusals, tests.refusals) + tests_sentence(tests) +
         other_data_sentence(other_data) + left_out(pairing) + not_judged(all) + speed_sentence(all.speed);
}

}  // namespace qwen3guard::cli
