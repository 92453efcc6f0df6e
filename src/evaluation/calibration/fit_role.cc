// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/fit_role.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

#include "evaluation/calibration/folds.hpp"
#include "evaluation/calibration/thresholds.hpp"
#include "qwen3guard/policy.hpp"
#include "util/try.hpp"

namespace qwen3guard::evaluation {
namespace {

/// A threshold for flags needs so many Controversial rows, and so many Safe ones.
constexpr std::int64_t kMinFlagRows = 20;

RoleRules& rules_for(PolicyRules& rules, Role role) noexcept {
  return role == Role::assistant ? rules.response : rules.prompt;
}

/// The rows of a role, and folds within them to try choices on.
struct Fitting {
  const PolicyRules& base;
  Role role;
  std::span<const Sample> rows;
  const RoleGoals& goals;
  Steps steps;
  std::vector<std::int32_t> folds;
};

bool has_tokens(const Sample& row) noexcept {
  const Verdict& verdict = row.example->verdict;
  return !verdict.token_verdicts.empty() ||
         std::any_of(verdict.windows.begin(), verdict.windows.end(),
                     [](const Verdict& window) { return !window.token_verdicts.empty(); });
}

std::vector<Reach> reaches_of(const PolicyRules& rules, Role role, const Steps& steps,
                              std::span<const Sample> rows) {
  std::vector<Reach> out;
  out.reserve(rows.size());
  for (const Sample& row : rows) {
    Reach reach = reach_of(rules, role, steps, row.example->verdict);
    if (row.is_denied) {
      // Whatever the model says of it, and whatever the thresholds are.
      const auto all = static_cast<CategorySet>(set_of(Category::jailbreak) * 2U - 1U);
      reach.parts.push_back({std::numeric_limits<float>::infinity(), all, 0, nullptr});
    }
    out.push_back(std::move(reach));
  }
  return out;
}

/// The probabilities that a row's score is from, at temperature 1 and for all categories alike.
TemperatureChoice temperature_of(const Fitting& fitting) {
  PolicyRules rules = fitting.base;
  rules_for(rules, fitting.role).temperature = 1;
  Steps all_block;
  all_block.fill(Step::block);
  std::vector<ProbabilityRow> rows;
  for (const Sample& row : fitting.rows) {
    const Reach reach = reach_of(rules, fitting.role, all_block, row.example->verdict);
    const auto best = std::max_element(reach.parts.begin(), reach.parts.end(),
                                       [](const Part& a, const Part& b) { return a.score < b.score; });
    const bool is_known = best != reach.parts.end() && best->probabilities != nullptr;
    rows.push_back({is_known ? *best->probabilities : SeverityProbabilities(), row.is_positive});
  }
  return choose_temperature(rows, fitting.folds, rules.mode);
}

std::vector<ReachRow> reach_rows(std::span<const Sample> samples, std::span<const Reach> reaches,
                                 const std::function<bool(std::size_t)>& is_in) {
  std::vector<ReachRow> out;
  for (std::size_t i = 0; i < samples.size(); ++i) {
    if (is_in(i)) out.push_back({&reaches[i], samples[i].is_positive});
  }
  return out;
}

/// What thresholds with `own` make of rows that they were not chosen on.
Counts held_out(const Fitting& fitting, std::span<const Reach> reaches, CategorySet own) {
  Counts out;
  const std::int32_t n_folds = *std::max_element(fitting.folds.begin(), fitting.folds.end()) + 1;
  for (std::int32_t fold = 0; fold < n_folds; ++fold) {
    const auto train =
        reach_rows(fitting.rows, reaches, [&](std::size_t i) { return fitting.folds[i] != fold; });
    const auto test =
        reach_rows(fitting.rows, reaches, [&](std::size_t i) { return fitting.folds[i] == fold; });
    // What is not learned is not blocked.
    Thresholds none;
    none.fill(std::numeric_limits<float>::infinity());
    const auto choice = choose_thresholds(fitting.goals.block, train, own);
    out += count_blocked(test, choice ? choice->thresholds : none);
  }
  return out;
}

/// How many tokens in a row decide: as in the base, unless another number does better on held-out rows.
void choose_debounce(const Fitting& fitting, PolicyRules& rules) {
  const auto counts_with = [&](std::int32_t n_tokens) {
    PolicyRules tried = rules;
    tried.debounce.consecutive_tokens = n_tokens;
    return held_out(fitting, reaches_of(tried, fitting.role, fitting.steps, fitting.rows), 0);
  };
  const std::int32_t base = rules.debounce.consecutive_tokens;
  Counts best = counts_with(base);
  for (const std::int32_t n_tokens : {1, 2, 3, 4, 6, 8, 12, 16}) {
    if (n_tokens == base) continue;
    const Counts counts = counts_with(n_tokens);
    if (!is_better(fitting.goals.block, counts, best)) continue;
    best = counts;
    rules.debounce.consecutive_tokens = n_tokens;
  }
}

/// In loose mode Controversial rows are let pass, and marked: from the score on that tells them from Safe
/// ones, where that is lower than what is blocked.
std::optional<float> flag_threshold(const Fitting& fitting, const PolicyRules& rules,
                                    const Thresholds& block) {
  if (rules.mode != Mode::loose) return std::nullopt;
  Steps steps = fitting.steps;
  for (Step& step : steps) step = step == Step::off ? Step::off : Step::block;
  std::vector<ScoredRow> scored;
  std::int64_t n_controversial = 0, n_safe = 0;
  const auto reaches = reaches_of(rules, fitting.role, steps, fitting.rows);
  for (std::size_t i = 0; i < fitting.rows.size(); ++i) {
    const Severity label = fitting.rows[i].example->gold.label.value_or(Severity::not_judged);
    n_controversial += label == Severity::controversial ? 1 : 0;
    n_safe += label == Severity::safe ? 1 : 0;
    scored.push_back({uniform_score(reaches[i]), is_positive(label, Mode::strict)});
  }
  if (std::min(n_controversial, n_safe) < kMinFlagRows) return std::nullopt;
  const auto choice = choose_threshold(fitting.goals.flag, std::move(scored));
  if (!choice || choice->threshold >= *std::min_element(block.begin(), block.end())) return std::nullopt;
  return choice->threshold;
}

/// Flags lengthen runs of RunRule::report, so that more is blocked than by the thresholds for blocks alone:
/// of both rules, the one whose flags are better, and no flags where neither keeps to the goal.
Status choose_run_rule(const Fitting& fitting, RoleFit& fit) {
  std::optional<Outcome> best;
  RoleFit chosen = fit;
  const RunRule base = fit.debounce.rule;
  for (const RunRule rule : {base, base == RunRule::report ? RunRule::published : RunRule::report}) {
    RoleFit tried = fit;
    tried.debounce.rule = rule;
    PolicyRules rules = fitting.base;
    apply(tried, fitting.role, rules);
    Q3G_ASSIGN(const Outcome outcome, measure(rules, fitting.rows));
    if (!keeps_to_goal(fitting.goals.block, outcome.block)) continue;
    if (best && !is_better(fitting.goals.flag, outcome.flag, best->flag)) continue;
    best = outcome;
    chosen = tried;
  }
  if (!best) chosen.flag.reset();
  fit = chosen;
  return {};
}

}  // namespace

std::vector<std::int32_t> folds_of(std::span<const Sample> rows, std::int32_t n_folds, std::uint64_t seed) {
  std::vector<FoldRow> out;
  for (const Sample& row : rows)
    out.push_back(
        {row.example->group, row.example->gold.label.value_or(Severity::not_judged), row.is_positive});
  return make_folds(out, n_folds, seed);
}

Result<std::optional<RoleFit>> fit_role(const PolicyRules& base, Role role, std::span<const Sample> rows,
                                        const RoleGoals& goals, const FitOptions& options) {
  const Fitting fitting{
      base, role, rows, goals, steps_of(base, role), folds_of(rows, options.n_folds, options.seed)};
  RoleFit fit;
  PolicyRules rules = base;
  fit.temperature = temperature_of(fitting);
  rules_for(rules, role).temperature = fit.temperature.temperature;
  fit.is_of_tokens = role == Role::assistant && std::any_of(rows.begin(), rows.end(), has_tokens);
  if (fit.is_of_tokens && !fitting.folds.empty()) choose_debounce(fitting, rules);
  fit.debounce = rules.debounce;

  const auto reaches = reaches_of(rules, role, fitting.steps, rows);
  const auto all = reach_rows(rows, reaches, [](std::size_t) { return true; });
  // A row of tokens has more than one category's thresholds to reach.
  if (!fit.is_of_tokens) {
    fit.own = large_categories(count_categories(all));
    if (fitting.folds.empty() || (fit.own != 0 && !is_better(goals.block, held_out(fitting, reaches, fit.own),
                                                             held_out(fitting, reaches, 0))))
      fit.own = 0;
  }
  const auto choice = choose_thresholds(goals.block, all, fit.own);
  if (!choice) return std::optional<RoleFit>();
  fit.block = choice->thresholds;
  fit.own = choice->own;
  fit.flag = flag_threshold(fitting, rules, fit.block);
  if (fit.flag && role == Role::assistant) Q3G_TRY(choose_run_rule(fitting, fit));
  return std::optional<RoleFit>(fit);
}

void apply(const RoleFit& fit, Role role, PolicyRules& rules) {
  const Steps steps = steps_of(rules, role);
  RoleRules& of_role = rules_for(rules, role);
  of_role.temperature = fit.temperature.temperature;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (role == Role::assistant && static_cast<Category>(i) == Category::jailbreak) continue;
    if (steps[i] == Step::off) continue;
    CategoryRule rule;
    rule.flag_threshold = fit.flag;
    if (steps[i] == Step::block) {
      rule.block_threshold = fit.block[i];
    } else if (!fit.flag) {
      rule.flag_threshold = fit.block[i];
    }
    of_role.categories[i] = rule;
  }
  if (role == Role::assistant) rules.debounce = fit.debounce;
}

Result<Outcome> measure(const PolicyRules& rules, std::span<const Sample> rows) {
  // Lists have decided already (Sample::is_denied).
  PolicySpec spec;
  spec.rules = rules;
  Q3G_ASSIGN(const Policy policy, Policy::make(std::move(spec)));
  Outcome out;
  for (const Sample& row : rows) {
    Action action = Action::block;
    if (!row.is_denied) {
      Q3G_ASSIGN(const Ruling ruling, decide(policy, row.example->verdict));
      action = ruling.action;
    }
    const Severity label = row.example->gold.label.value_or(Severity::not_judged);
    out.block.add(row.is_positive, action == Action::block);
    out.flag.add(is_positive(label, Mode::strict), action >= Action::flag);
  }
  return out;
}

}  // namespace qwen3guard::evaluation
