// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_REACH_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_REACH_HPP

#include <array>
#include <cstdint>
#include <vector>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/verdict.hpp"

/// What a verdict's score has to reach for a policy of thresholds to block it: the policy's decide() as
/// numbers, so that thousands of thresholds can be tried. Tests compare the two.
namespace qwen3guard::evaluation {

/// What a category leads to at most. A calibration does not change that.
enum class Step : std::int8_t { off = 0, flag = 1, block = 2 };
using Steps = std::array<Step, kCategoryCount>;

/// Of a base policy's rules for a role.
[[nodiscard]] Steps steps_of(const PolicyRules& rules, Role role) noexcept;

/// Categories, by bit 1 << Category.
using CategorySet = std::uint16_t;
[[nodiscard]] constexpr CategorySet set_of(Category category) noexcept {
  return static_cast<CategorySet>(1U << static_cast<unsigned>(category));
}

/// A threshold for each category.
using Thresholds = std::array<float, kCategoryCount>;

/// One thing that was judged: a message, or a window of it, or a response's tokens. Blocked when the score
/// reaches the threshold of any category in `any_of`, or those of all in `all_of`; an empty set is reached
/// never.
struct Part {
  float score = 0;
  CategorySet any_of = 0, all_of = 0;
  const SeverityProbabilities* probabilities = nullptr;  ///< where the score is from; into the verdict
};

/// The parts of a verdict, of which the strictest counts.
struct Reach {
  std::vector<Part> parts;
};

/// What it takes to block this verdict under `rules`, of which mode, the role's temperature, and the debounce
/// are looked at: every category has a threshold but those that are off; a category that leads to a flag at
/// most never blocks. Tokens have one threshold for all categories. Without a flag_threshold that is lower
/// than block_threshold, as that can lengthen runs of RunRule::report.
[[nodiscard]] Reach reach_of(const PolicyRules& rules, Role role, const Steps& steps, const Verdict& verdict);

[[nodiscard]] bool is_blocked(const Reach& reach, const Thresholds& thresholds) noexcept;

/// The highest threshold for all categories that blocks it; -infinity where none does.
[[nodiscard]] float uniform_score(const Reach& reach) noexcept;

/// True when every token that counts, and every window, has a verdict.
[[nodiscard]] bool is_judged_whole(const Verdict& verdict) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_REACH_HPP
