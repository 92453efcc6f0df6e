// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_GOAL_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_GOAL_HPP

#include <cstdint>
#include <optional>

#include "evaluation/counts.hpp"

namespace qwen3guard::evaluation {

/// What a calibration is to reach: the highest recall with at most `target_fpr` of the safe rows blocked, or
/// where that is empty, the highest F-beta.
struct Goal {
  std::optional<double> target_fpr;  ///< above 0, below 1
  double beta = 1;                   ///< above 0; recall counts for beta times as much as precision
  /// With a target: none of the safe rows may be blocked, as all of them together are too few (goal_for()).
  bool no_alarms = false;
};

/// (1 + beta^2) tp / ((1 + beta^2) tp + beta^2 fn + fp); empty when there is nothing positive.
[[nodiscard]] std::optional<double> f_beta(const Counts& counts, double beta) noexcept;

/// The rule of three: n rows of which none is an alarm show with 95 % confidence that the rate is at most
/// about 3 / n. So with fewer than this many safe rows, a rate cannot be shown.
[[nodiscard]] double rows_to_show(double rate) noexcept;

/// The goal where there are n_safe safe rows in all. When these are too few to show the target, it allows no
/// alarm: a threshold that lets one through would be a guess. It holds for parts of the rows, too: what is
/// fitted without a fold then stands for what is fitted to all rows, however few the rest are.
[[nodiscard]] Goal goal_for(Goal goal, std::int64_t n_safe) noexcept;

/// How many of n safe rows may be blocked: all of them without a target.
[[nodiscard]] std::int64_t allowed_alarms(const Goal& goal, std::int64_t n_safe) noexcept;

/// True when no more safe rows are blocked than may be.
[[nodiscard]] bool keeps_to_goal(const Goal& goal, const Counts& counts) noexcept;

/// True when `a` serves the goal better than `b`: both are counts over the same rows. With a target: a higher
/// recall without more false alarms than the target allows or `b` has, or as high a recall with fewer.
[[nodiscard]] bool is_better(const Goal& goal, const Counts& a, const Counts& b) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_GOAL_HPP
