// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/calibrate.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "guard/policy/list_ruling.hpp"
#include "qwen3guard/policy.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::evaluation {
namespace {

/// The rows of a role that something can be learned from; counts the others.
std::vector<Sample> usable_rows(const Policy& base, std::span<const Example> rows, RoleCalibration& out) {
  PolicySpec plain;  // rules alone
  plain.rules = base.rules();
  const auto without_lists = Policy::make(std::move(plain));
  const bool has_lists = detail::denied_phrases(base) != nullptr;
  std::vector<Sample> used;
  for (const Example& row : rows) {
    if (row.role != out.role) continue;
    if (!row.gold.label || *row.gold.label == Severity::not_judged) {
      ++out.n_no_label;
      continue;
    }
    const bool is_denied =
        has_lists && !row.text.empty() && detail::rule_by_lists(base, row.text).has_value();
    if (!is_denied && !is_judged_whole(row.verdict)) {
      ++out.n_not_judged;
      continue;
    }
    if (!is_denied && (!without_lists.ok() || !decide(*without_lists, row.verdict).ok())) {
      ++out.n_not_ruled;
      continue;
    }
    used.push_back({&row, is_positive(*row.gold.label, base.rules().mode), is_denied});
    ++(*row.gold.label == Severity::safe            ? out.n_safe
       : *row.gold.label == Severity::controversial ? out.n_controversial
                                                    : out.n_unsafe);
    out.n_weak += row.gold.is_weak ? 1 : 0;
    out.n_denied += is_denied ? 1 : 0;
  }
  return used;
}

KeptRules missing_class(std::span<const Sample> rows) noexcept {
  const auto is_bad = [](const Sample& row) { return row.is_positive; };
  if (rows.empty()) return KeptRules::no_rows;
  if (std::all_of(rows.begin(), rows.end(), is_bad)) return KeptRules::no_safe;
  return std::none_of(rows.begin(), rows.end(), is_bad) ? KeptRules::no_unsafe : KeptRules::no;
}

/// The same seed for a role and fold, whatever else is calibrated.
std::uint64_t derived_seed(std::uint64_t seed, Role role, std::int32_t fold) noexcept {
  return seed * 1000003U + (role == Role::assistant ? 500009U : 0U) + static_cast<std::uint64_t>(fold + 1);
}

/// Fits without one fold after another, and measures on it: what the procedure is worth on rows it has not
/// seen. Where nothing can be learned, the base's rules are what the procedure gives.
Status cross_validate(const PolicyRules& base, std::span<const Sample> rows, const RoleGoals& goals,
                      const FitOptions& options, RoleCalibration& out) {
  out.folds = folds_of(rows, options.n_folds, options.seed);
  if (out.folds.empty()) return {};
  const std::int32_t n_folds = *std::max_element(out.folds.begin(), out.folds.end()) + 1;
  Outcome sum;
  for (std::int32_t fold = 0; fold < n_folds; ++fold) {
    std::vector<Sample> train, test;
    for (std::size_t i = 0; i < rows.size(); ++i) (out.folds[i] == fold ? test : train).push_back(rows[i]);
    FitOptions inner = options;
    inner.seed = derived_seed(options.seed, out.role, fold);
    Q3G_ASSIGN(const auto fit, fit_role(base, out.role, train, goals, inner));
    PolicyRules rules = base;
    if (fit) apply(*fit, out.role, rules);
    Q3G_ASSIGN(const Outcome outcome, measure(rules, test));
    sum.block += outcome.block;
    sum.flag += outcome.flag;
    out.by_fold.push_back(fit);
  }
  out.cross_validated = sum;
  return {};
}

CategoryRows rows_by_category(const PolicyRules& base, Role role, std::span<const Sample> rows) {
  const Steps steps = steps_of(base, role);
  std::vector<Reach> reaches;
  reaches.reserve(rows.size());
  std::vector<ReachRow> reach_rows;
  for (const Sample& row : rows) {
    reaches.push_back(reach_of(base, role, steps, row.example->verdict));
    reach_rows.push_back({&reaches.back(), row.is_positive});
  }
  return count_categories(reach_rows);
}

/// Fits a role's rules into `rules`.
Status calibrate_role(const Policy& base, std::span<const Example> rows, const FitOptions& options,
                      PolicyRules& rules, RoleCalibration& out) {
  const std::vector<Sample> used = usable_rows(base, rows, out);
  out.kept = missing_class(used);
  Q3G_ASSIGN(out.before, measure(base.rules(), used));
  out.after = out.before;
  if (out.kept != KeptRules::no) return {};
  const auto goal = [&](const Counts& counts) { return goal_for(options.goal, counts.fp + counts.tn); };
  const RoleGoals goals = {goal(out.before.block), goal(out.before.flag)};
  FitOptions inner = options;
  inner.seed = derived_seed(options.seed, out.role, -1);
  Q3G_ASSIGN(const auto fit, fit_role(base.rules(), out.role, used, goals, inner));
  if (!fit) {
    out.kept = KeptRules::no_threshold;
    return {};
  }
  out.fit = *fit;
  out.category_rows = rows_by_category(base.rules(), out.role, used);
  apply(*fit, out.role, rules);
  PolicyRules alone = base.rules();
  apply(*fit, out.role, alone);
  Q3G_ASSIGN(out.after, measure(alone, used));
  return cross_validate(base.rules(), used, goals, options, out);
}

}  // namespace

Result<Calibration> calibrate(const PolicySpec& base, std::span<const Example> rows,
                              const FitOptions& options) {
  const Goal& goal = options.goal;
  if (goal.target_fpr && !(*goal.target_fpr > 0 && *goal.target_fpr < 1))
    return detail::error(ErrorCode::invalid_argument, "calibrate: target_fpr ", *goal.target_fpr,
                         "; expected more than 0 and less than 1");
  if (!(goal.beta > 0) || !std::isfinite(goal.beta))
    return detail::error(ErrorCode::invalid_argument, "calibrate: beta ", goal.beta,
                         "; expected more than 0");
  if (options.n_folds < 2)
    return detail::error(ErrorCode::invalid_argument, "calibrate: ", options.n_folds,
                         " folds; expected at least 2");
  Q3G_ASSIGN(const Policy policy, Policy::make(base));
  Calibration out;
  out.policy = base;
  out.roles[0].role = Role::user;
  out.roles[1].role = Role::assistant;
  for (RoleCalibration& role : out.roles)
    Q3G_TRY(calibrate_role(policy, rows, options, out.policy.rules, role));
  return out;
}

}  // namespace qwen3guard::evaluation
