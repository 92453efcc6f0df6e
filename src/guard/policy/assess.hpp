// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_ASSESS_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_ASSESS_HPP

#include <optional>
#include <span>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// What the rules for a role make of one verdict, before any debounce. A plain value.
struct Assessment {
  Action action = Action::none;
  Rule rule = Rule::none;
  std::optional<Category> category;
  float score = 0;

  /// The severity that the verdict counts with where runs are looked for: its own where a severity decided;
  /// where a threshold did, Unsafe for block and Controversial for flag; Safe for allow.
  [[nodiscard]] Severity counted(Severity own) const noexcept;
};

/// P(Unsafe), in strict mode + P(Controversial), at the role's temperature: what thresholds are compared
/// with. 1, which reaches all of them, where probabilities are missing (all 0) or no numbers.
[[nodiscard]] float score_of(const PolicyRules& rules, Role role,
                             const SeverityProbabilities& probabilities) noexcept;

/// The strictest action of the categories found; of equal ones the first's. A verdict that is worse than Safe
/// and names none, or one that is not known, gets the strictest of all categories. A Safe one that names none
/// gets the mildest of the categories that are not off: it is not known which of them a threshold would be
/// for. none when nothing was judged.
[[nodiscard]] Assessment assess(const PolicyRules& rules, Role role, Severity severity,
                                const SeverityProbabilities& probabilities,
                                std::span<const Category> found) noexcept;
/// The same for a token: of heads, its most probable category; of a written verdict, those that it names.
[[nodiscard]] Assessment assess(const PolicyRules& rules, Role role, const TokenVerdict& token) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_ASSESS_HPP
