// SPDX-License-Identifier: Apache-2.0
#include "guard/policy/assess.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>

#include "guard/policy/policy_fields.hpp"

namespace qwen3guard::detail {
namespace {

const RoleRules& role_rules(const PolicyRules& rules, Role role) noexcept {
  return role == Role::assistant ? rules.response : rules.prompt;
}

constexpr Action one_step_milder(Action action) noexcept {
  return action == Action::block ? Action::flag : Action::allow;
}

Action action_on(const PolicyRules& rules, const CategoryRule& rule, Severity severity) noexcept {
  if (severity <= Severity::safe) return Action::allow;
  if (severity >= Severity::unsafe) return rule.unsafe;
  if (rule.controversial) return *rule.controversial;
  return rules.mode == Mode::strict ? rule.unsafe : one_step_milder(rule.unsafe);
}

bool is_off(const PolicyRules& rules, const CategoryRule& rule) noexcept {
  return !has_thresholds(rule) && action_on(rules, rule, Severity::unsafe) == Action::allow &&
         action_on(rules, rule, Severity::controversial) == Action::allow;
}

Assessment assess_category(const PolicyRules& rules, const CategoryRule& rule, Severity severity,
                           float score) noexcept {
  Assessment out;
  const bool is_harmful = severity > Severity::safe;
  if (!has_thresholds(rule)) {
    out.action = action_on(rules, rule, severity);
    out.rule = out.action > Action::allow ? Rule::severity : is_harmful ? Rule::category_off : Rule::safe;
    return out;
  }
  out.score = score;
  const auto reaches = [score](const std::optional<float>& threshold) {
    return threshold && score >= *threshold;
  };
  out.action = reaches(rule.block_threshold)  ? Action::block
               : reaches(rule.flag_threshold) ? Action::flag
                                              : Action::allow;
  out.rule = out.action > Action::allow ? Rule::threshold : is_harmful ? Rule::below_threshold : Rule::safe;
  return out;
}

}  // namespace

Severity Assessment::counted(Severity own) const noexcept {
  if (action <= Action::allow) return action == Action::none ? Severity::not_judged : Severity::safe;
  if (rule != Rule::threshold) return own;
  return action == Action::block ? Severity::unsafe : Severity::controversial;
}

float score_of(const PolicyRules& rules, Role role, const SeverityProbabilities& probabilities) noexcept {
  SeverityProbabilities p = probabilities;
  const float temperature = role_rules(rules, role).temperature;
  if (temperature != 1.0F) {
    // By the largest, so that not all of them vanish at a small temperature. All 0: nothing was judged.
    const float most = std::max({p.safe, p.controversial, p.unsafe});
    const auto scaled = [&](float value) {
      return std::pow(static_cast<double>(value) / static_cast<double>(most),
                      1.0 / static_cast<double>(temperature));
    };
    const double safe = scaled(p.safe), controversial = scaled(p.controversial), unsafe = scaled(p.unsafe);
    const double sum = safe + controversial + unsafe;
    if (most > 0.0F) {
      p.controversial = static_cast<float>(controversial / sum);
      p.unsafe = static_cast<float>(unsafe / sum);
    }
  }
  const float score = rules.mode == Mode::strict ? p.unsafe + p.controversial : p.unsafe;
  // What has no probabilities, or such as are no numbers, is not known to be below any threshold.
  return p.safe + p.controversial + p.unsafe > 0.0F && score >= 0.0F ? score : 1.0F;
}

Assessment assess(const PolicyRules& rules, Role role, Severity severity,
                  const SeverityProbabilities& probabilities, std::span<const Category> found) noexcept {
  if (severity < Severity::safe) return {};
  const RoleRules& of_role = role_rules(rules, role);
  const float score = score_of(rules, role, probabilities);
  const bool is_harmful = severity > Severity::safe;
  Assessment out;
  const auto take = [&](std::size_t category, bool is_better) {
    if (!is_better) return;
    out = assess_category(rules, of_role.categories[category], severity, score);
    out.category = static_cast<Category>(category);
  };
  const auto action_of = [&](std::size_t category) {
    return assess_category(rules, of_role.categories[category], severity, score).action;
  };
  bool is_unknown = false;
  for (const Category category : found) {
    const auto i = static_cast<std::size_t>(category);
    if (i < of_role.categories.size()) {
      take(i, action_of(i) > out.action);
    } else {
      is_unknown = true;
    }
  }
  if (out.action == Action::none || (is_unknown && is_harmful)) {
    const Action known = out.action;
    for (std::size_t i = 0; i < of_role.categories.size(); ++i) {
      // Responses have no Jailbreak.
      if (role == Role::assistant && static_cast<Category>(i) == Category::jailbreak) continue;
      if (!is_harmful && is_off(rules, of_role.categories[i])) continue;
      const Action action = action_of(i);
      take(i, out.action == Action::none || (is_harmful ? action > out.action : action < out.action));
    }
    // It is not that of a category that was found.
    if (out.action != known) out.category.reset();
    // Every category is off.
    if (out.action == Action::none) out = {Action::allow, Rule::safe, std::nullopt, 0.0F};
  }
  if (out.rule == Rule::safe) out.category.reset();
  return out;
}

Assessment assess(const PolicyRules& rules, Role role, const TokenVerdict& token) noexcept {
  if (token.source == VerdictSource::none || token.severity == Severity::not_judged) return {};
  std::array<Category, kCategoryCount> found{};
  std::size_t n = 0;
  if (token.source == VerdictSource::heads) {
    found[n++] = token.category;
  } else {
    for (std::size_t i = 0; i < token.category_probabilities.size(); ++i) {
      if (token.category_probabilities[i] > 0.0F) found[n++] = static_cast<Category>(i);
    }
    // The most relevant one first, as in the verdict.
    const auto first =
        std::find(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(n), token.category);
    if (first != found.begin() + static_cast<std::ptrdiff_t>(n)) std::rotate(found.begin(), first, first + 1);
  }
  return assess(rules, role, token.severity, token.probabilities, std::span(found).first(n));
}

}  // namespace qwen3guard::detail
