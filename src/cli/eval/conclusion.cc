// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/conclusion.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <optional>
#include <vector>

#include "evaluation/calibration/intervals.hpp"

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

bool is_shown(const PairedCounts& counts) {
  return evaluation::mcnemar_p(counts.only_a, counts.only_b) < kSignificance;
}

std::string p_of(const PairedCounts& counts) {
  const std::string p = p_value(evaluation::mcnemar_p(counts.only_a, counts.only_b));
  return p.starts_with('<') ? "p < " + p.substr(1) : "p = " + p;
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

/// "B misses 12 harmful rows that A finds and finds 3 that A misses (p = 0.035): ...": no end of a sentence.
std::string harm_difference(const PairedCounts& found) {
  const bool is_worse = found.only_a > found.only_b;
  const std::string more = counted(is_worse ? found.only_a : found.only_b, "harmful row");
  const std::string less = number_or_none(is_worse ? found.only_b : found.only_a);
  return (is_worse ? "B misses " + more + " that A finds and finds " + less + " that A misses"
                   : "B finds " + more + " that A misses and misses " + less + " that A finds") +
         " (" + p_of(found) + "): on these rows B is " + (is_worse ? "worse" : "better") + " at finding harm";
}

std::string alarm_difference(const PairedCounts& alarms) {
  const bool is_worse = alarms.only_b > alarms.only_a;
  const std::string more = counted(is_worse ? alarms.only_b : alarms.only_a, "false alarm");
  const std::string less = number_or_none(is_worse ? alarms.only_a : alarms.only_b);
  return (is_worse ? "B raises " + more + " that A does not and avoids " + less + " of A's"
                   : "B avoids " + more + " of A's and raises " + less + " that A does not") +
         " (" + p_of(alarms) + "): on these rows B flags " + (is_worse ? "more" : "fewer") + " safe texts";
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
bool is_f1_shown(const ModeComparison& mode) {
  const std::int64_t n_discordant = mode.found.n_discordant() + mode.false_alarms.n_discordant();
  return mode.f1 && mode.f1->interval && n_discordant >= evaluation::kFewDiscordant &&
         (mode.f1->interval->low > 0 || mode.f1->interval->high < 0);
}

std::string f1_sentence(const FigureDifference& f1) {
  const double low = std::min(std::abs(f1.interval->low), std::abs(f1.interval->high));
  const double high = std::max(std::abs(f1.interval->low), std::abs(f1.interval->high));
  return "F1 of B is " + points(std::abs(f1.b - f1.a)) + " points " + (f1.b < f1.a ? "lower" : "higher") +
         " (95 %: " + points(low) + " to " + points(high) +
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
std::string shown_difference(const ModeComparison& mode, const std::optional<FigureDifference>& auc) {
  const bool harm = is_shown(mode.found), alarms = is_shown(mode.false_alarms);
  if (harm && alarms) {
    std::string out = harm_difference(mode.found) + ". " + alarm_difference(mode.false_alarms) + ".";
    const bool is_trade =
        (mode.found.only_a > mode.found.only_b) == (mode.false_alarms.only_a > mode.false_alarms.only_b);
    return is_trade ? out + threshold_sentence(mode, auc) : out;
  }
  if (harm) return harm_difference(mode.found) + "; " + no_alarm_difference(mode.false_alarms) + ".";
  if (alarms) return alarm_difference(mode.false_alarms) + "; " + no_harm_difference(mode.found) + ".";
  return is_f1_shown(mode) ? f1_sentence(*mode.f1) : "";
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
         grouped(mode.right.only_b) + " (" + p_of(mode.right) + ").";
}

std::string unlabelled_difference(const GroupComparison& all) {
  const std::int64_t n_changed = all.n - all.n_agreed();
  return "No row has a label, so nothing says which run is right. The severity is another in " +
         grouped(n_changed) + " of " + counted(all.n, "row") + ": milder in B in " + grouped(all.n_milder()) +
         ", harsher in " + grouped(all.n_harsher()) + " (of rows like these at most " +
         points_up(evaluation::wilson_interval(n_changed, all.n).high) + " %, 95 %).";
}

std::string refusal_sentence(const PairedCounts& right) {
  if (!is_shown(right)) return "";
  return " On refusals B is " + std::string(right.only_a > right.only_b ? "worse" : "better") + ": of " +
         counted(right.n(), "row") + " A alone is right in " + grouped(right.only_a) + ", B alone in " +
         grouped(right.only_b) + " (" + p_of(right) + ").";
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

std::string conclusion_of(const Pairing& pairing, const Comparison& comparison) {
  const GroupComparison& all = comparison.all;
  std::string out;
  if (all.n_labelled == 0) {
    out = unlabelled_difference(all);
  } else {
    const std::string strict = shown_difference(all.strict, all.auc);
    const std::string loose = shown_difference(all.loose, all.auc);
    out = strict.empty() ? no_difference(all) : strict;
    if (strict.empty() && !loose.empty()) out += " But with Controversial counted as Safe: " + loose;
  }
  return out + refusal_sentence(all.refusals) + left_out(pairing) + not_judged(all) +
         speed_sentence(all.speed);
}

std::string grouped(std::int64_t n) {
  std::string digits = std::to_string(n);
  constexpr std::ptrdiff_t kGroup = 3;
  const std::ptrdiff_t first = n < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - kGroup; at > first; at -= kGroup)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string counted(std::int64_t n, const std::string& noun) {
  return grouped(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string decimal(double value, int decimals) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  std::string text = buffer.data();
  const bool is_zero = text.find_first_not_of("-0.") == std::string::npos;
  return is_zero && text.starts_with('-') ? text.substr(1) : text;
}

std::string p_value(double p) {
  constexpr double kLeast = 1e-4, kSmall = 1e-3, kMiddle = 0.1;
  if (p < kLeast) return "<0.0001";
  return decimal(p, p < kSmall ? 4 : p < kMiddle ? 3 : 2);
}

}  // namespace qwen3guard::cli
