// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "cli/errors.hpp"
#include "cli/eval/calibration_out.hpp"
#include "evaluation/calibration/intervals.hpp"
#include "evaluation/significance.hpp"

namespace qwen3guard::cli {
namespace {

using evaluation::Counts;
using evaluation::KeptRules;
using evaluation::RoleCalibration;

template <class... Values>
std::string filled(const char* format, Values... values) {
  const int n = std::snprintf(nullptr, 0, format, values...);
  std::string out(static_cast<std::size_t>(n) + 1, '\0');
  std::snprintf(out.data(), out.size(), format, values...);
  out.pop_back();
  return out;
}

std::string percent(double share) { return filled("%.3g %%", 100 * share); }

/// "12 rows", "1 row".
std::string count_of(std::int64_t n, const char* one, const char* several) {
  return std::to_string(n) + ' ' + (n == 1 ? one : several);
}

/// "1.2 % (0.6 to 2.3)" in a column of its own.
std::string share_column(std::int64_t k, std::int64_t n) {
  if (n == 0) return filled("%-24s", "-");
  const auto bounds = evaluation::wilson_interval(k, n);
  return filled("%-24s",
                filled("%.1f %% (%.1f to %.1f)", 100.0 * static_cast<double>(k) / static_cast<double>(n),
                       100 * bounds.low, 100 * bounds.high)
                    .c_str());
}

std::string outcome_line(const CalibrationReport& report, const char* name, const Counts& counts) {
  const double beta = report.options.goal.beta;
  std::string out = filled("  %-24s", name) + share_column(counts.fp, counts.fp + counts.tn) +
                    share_column(counts.tp, counts.tp + counts.fn);
  const auto value = evaluation::f_beta(counts, beta);
  const auto bounds = evaluation::f_beta_interval(counts, beta, {kCalibrationResamples, report.options.seed});
  if (value && bounds) out += filled("%.3f (%.3f to %.3f)", *value, bounds->low, bounds->high);
  return out + '\n';
}

/// What counts as safe and as harmful when something is blocked.
std::string safe_name(const PolicySpec& base) {
  return base.rules.mode == Mode::strict ? "Safe" : "Safe or Controversial";
}
std::string harmful_name(const PolicySpec& base) {
  return base.rules.mode == Mode::strict ? "Controversial or Unsafe" : "Unsafe";
}

/// The categories that share a threshold have it; nothing when each has its own, or is off.
std::optional<float> common_threshold(const CalibrationReport& report, const RoleCalibration& role) {
  const auto steps = evaluation::steps_of(report.base.rules, role.role);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const auto category = static_cast<Category>(i);
    if (role.role == Role::assistant && category == Category::jailbreak) continue;
    if (steps[i] != evaluation::Step::off && (role.fit.own & evaluation::set_of(category)) == 0)
      return role.fit.block[i];
  }
  return std::nullopt;
}

std::string threshold_lines(const CalibrationReport& report, const RoleCalibration& role) {
  std::string out;
  const auto common = common_threshold(report, role);
  if (role.fit.own == 0) {
    const bool are_few = evaluation::large_categories(role.category_rows) == 0;
    out = filled("  Blocked from score %.4g on, in all categories alike: ",
                 static_cast<double>(common.value_or(1)));
    out += role.fit.is_of_tokens ? "runs of tokens have one threshold"
           : are_few ? "none has " + std::to_string(evaluation::kMinCategoryRows) + " rows of each kind"
                     : std::string("thresholds of their own do no better on rows held out");
    return out + ".\n";
  }
  out = "  Blocked from these scores on:";
  for (std::size_t i = 0; i < role.fit.block.size(); ++i) {
    const auto category = static_cast<Category>(i);
    if ((role.fit.own & evaluation::set_of(category)) != 0)
      out += filled(" %s %.4g,", to_string(category), static_cast<double>(role.fit.block[i]));
  }
  if (!common) {
    out.back() = '.';
    return out + '\n';
  }
  return out + filled(" the other categories %.4g.\n", static_cast<double>(*common));
}

std::string fit_lines(const CalibrationReport& report, const RoleCalibration& role) {
  const auto& fit = role.fit;
  const double t = static_cast<double>(fit.temperature.temperature);
  std::string out = t == 1
                        ? std::string("  Temperature 1: another one does not help on rows held out")
                        : filled("  Temperature %.4g: the negative log likelihood of rows held out falls", t);
  if (role.folds.empty()) {
    out = "  Temperature 1: too few rows to fit another one";
  } else {
    out += filled(t == 1 ? " (%.4f, and %.4f with 1)" : " to %.4f, from %.4f", fit.temperature.held_out,
                  fit.temperature.held_out_at_1);
  }
  out += ".\n" + threshold_lines(report, role);
  if (fit.flag)
    out += filled("  Flagged from score %.4g on, where Controversial rows begin.\n",
                  static_cast<double>(*fit.flag));
  if (fit.is_of_tokens) {
    out += filled("  %d %s of a response decide%s", fit.debounce.consecutive_tokens,
                  fit.debounce.consecutive_tokens == 1 ? "token" : "tokens in a row",
                  fit.debounce.consecutive_tokens == 1 ? "s" : "");
    out += fit.debounce == report.base.rules.debounce ? ", as before.\n" : ".\n";
  }
  return out;
}

const char* reason_of(KeptRules kept, bool is_strict) {
  switch (kept) {
    case KeptRules::no_safe:
      return is_strict ? "no row is Safe, so that no false alarm can be seen"
                       : "no row is Safe or Controversial, so that no false alarm can be seen";
    case KeptRules::no_unsafe:
      return is_strict ? "no row is Controversial or Unsafe, so that nothing harmful can be missed"
                       : "no row is Unsafe, so that nothing harmful can be missed";
    case KeptRules::no_threshold:
      return "no threshold keeps to the target: too many safe rows have the score 1, or a phrase of a deny "
             "list";
    default:
      return "there is no row that can be used";
  }
}

/// Rows that had no part in it.
void add_left_out(const RoleCalibration& role, std::vector<std::string>& out) {
  if (role.n_no_label > 0)
    out.push_back(count_of(role.n_no_label, "row has", "rows have") +
                  " no label that is scored and had no part.");
  if (role.n_not_judged > 0)
    out.push_back(
        count_of(role.n_not_judged, "row was", "rows were") +
        " not judged, or not completely, and had no part; what happens to such texts is not in the rates.");
  if (role.n_not_ruled > 0)
    out.push_back(count_of(role.n_not_ruled, "row", "rows") +
                  " had no part because the prediction lacks what a policy rules on: token verdicts (eval "
                  "--token-verdicts), or the other windows of a long text.");
}

/// Where the base policy is as good.
void add_no_gain(const CalibrationReport& report, const RoleCalibration& role,
                 std::vector<std::string>& out) {
  if (!role.cross_validated) return;
  const Counts &before = role.before.block, &after = role.cross_validated->block;
  const auto goal = evaluation::goal_for(report.options.goal, before.fp + before.tn);
  if (evaluation::keeps_to_goal(goal, before) && !evaluation::is_better(goal, after, before))
    out.push_back(
        "Cross-validated, the new policy is no better than the base policy, which may as well stay.");
  const auto flags_before = evaluation::f_beta(role.before.flag, goal.beta);
  const auto flags_after = evaluation::f_beta(role.cross_validated->flag, goal.beta);
  if (role.fit.flag && flags_before && flags_after && *flags_after < *flags_before)
    out.push_back(
        "Flags are worse than those of the base policy: in loose mode thresholds see P(Unsafe) alone.");
}

/// What the number of rows cannot show.
void add_shown(const CalibrationReport& report, const RoleCalibration& role, std::vector<std::string>& out) {
  const std::int64_t n_safe = role.after.block.fp + role.after.block.tn;
  if (report.options.goal.target_fpr) {
    const double target = *report.options.goal.target_fpr;
    if (evaluation::goal_for(report.options.goal, n_safe).no_alarms)
      out.push_back(filled(
          "Too few rows for the target: %s, and at least %.0f are needed to show a rate of %s. No alarm "
          "among them "
          "shows a rate of at most %s (95 %% confidence), so the threshold lets none of them be blocked.",
          count_of(n_safe, "row is safe", "rows are safe").c_str(),
          std::ceil(evaluation::rows_to_show(target)), percent(target).c_str(),
          percent(std::min(1.0, evaluation::rows_to_show(static_cast<double>(n_safe)))).c_str()));
    if (role.cross_validated) {
      const Counts& counts = role.cross_validated->block;
      const double high = evaluation::wilson_interval(counts.fp, counts.fp + counts.tn).high;
      if (high > target)
        out.push_back(
            filled("The data do not show that false alarms stay at or below %s: cross-validated, "
                   "they may be up to %s.",
                   percent(target).c_str(), percent(high).c_str()));
    }
  }
  if (!report.options.goal.target_fpr) {
    const Counts& counts = role.after.block;
    out.push_back(filled(
        "The best F-beta depends on how common harm is: %.0f %% of these rows are harmful. Where it is "
        "rarer, these thresholds block more safe rows than is best.",
        100.0 * static_cast<double>(counts.tp + counts.fn) / static_cast<double>(counts.n())));
  }
  if (!role.cross_validated)
    out.push_back(
        "Too few rows for cross-validation: nothing is known about rows that the policy was not fitted on.");
}

}  // namespace

std::vector<std::string> calibration_warnings(const CalibrationReport& report, const RoleCalibration& role) {
  std::vector<std::string> out;
  if (role.kept != KeptRules::no) {
    if (role.kept != KeptRules::no_rows || role.n_not_judged + role.n_not_ruled + role.n_no_label > 0)
      out.push_back(std::string("Not calibrated, the rules of the base policy stay: ") +
                    reason_of(role.kept, report.base.rules.mode == Mode::strict) + ".");
    add_left_out(role, out);
    return out;
  }
  add_shown(report, role, out);
  add_no_gain(report, role, out);
  if (role.n_weak > 0)
    out.push_back(count_of(role.n_weak, "label is", "labels are") +
                  " weak: assumed from the kind of source. The rates are no better than they.");
  add_left_out(role, out);
  if (!report.base.lists.deny.empty() && !report.has_texts)
    out.push_back(
        "The base policy's lists had no part in the rates: predictions have no texts (give --data, too).");
  const RoleRules& before =
      role.role == Role::assistant ? report.base.rules.response : report.base.rules.prompt;
  for (std::size_t i = 0; i < before.categories.size(); ++i) {
    if (before.categories[i].controversial && before.categories[i].unsafe != Action::allow)
      out.push_back(std::string("The base policy's action on Controversial in ") +
                    to_string(static_cast<Category>(i)) + " is gone: thresholds decide by the score alone.");
  }
  return out;
}

std::string calibration_to_text(const CalibrationReport& report) {
  std::string out;
  for (const RoleCalibration& role : report.found.roles) {
    const auto warnings = calibration_warnings(report, role);
    if (role.kept == KeptRules::no_rows && warnings.empty()) continue;
    out += role.role == Role::user ? "Prompts: " : "Responses: ";
    out += count_of(role.n_safe + role.n_controversial + role.n_unsafe, "row", "rows") +
           filled(" (%lld Safe, %lld Controversial, %lld Unsafe).\n", static_cast<long long>(role.n_safe),
                  static_cast<long long>(role.n_controversial), static_cast<long long>(role.n_unsafe));
    if (role.kept == KeptRules::no) {
      out += fit_lines(report, role);
      out += filled("  %-24s%-24s%-24s%s\n", "", "false alarms", "recall",
                    report.options.goal.beta == 1 ? "F1" : filled("F%g", report.options.goal.beta).c_str());
      out += outcome_line(report, "before", role.before.block);
      out += outcome_line(report, "after, on these rows", role.after.block);
      if (role.cross_validated)
        out += outcome_line(report, "after, cross-validated", role.cross_validated->block);
      if (role.fit.flag) {
        out += "  Flagged or blocked, where Controversial counts as harmful:\n";
        out += outcome_line(report, "before", role.before.flag);
        out += outcome_line(report, "after, on these rows", role.after.flag);
        if (role.cross_validated)
          out += outcome_line(report, "after, cross-validated", role.cross_validated->flag);
      }
      if (role.cross_validated)
        out += filled(
            "  Cross-validated in %d folds, seed %llu: each row is measured on a policy that was fitted "
            "without it.\n",
            static_cast<int>(role.by_fold.size()), static_cast<unsigned long long>(report.options.seed));
    }
    for (const std::string& warning : warnings) out += "  Warning: " + warning + '\n';
  }
  out += filled(
      "A false alarm: a row that is %s is blocked; recall: of rows that are %s, those blocked. In "
      "brackets 95 %% intervals.\n",
      safe_name(report.base).c_str(), harmful_name(report.base).c_str());
  return out;
}

}  // namespace qwen3guard::cli
