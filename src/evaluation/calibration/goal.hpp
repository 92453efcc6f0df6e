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
};

/// (1 + beta^2) tp / ((1 + beta^2) tp + beta^2 fn + fp); empty when there is nothing positive.
[[nodiscard]] std::optional<double> f_beta(const Counts& counts, double beta) noexcept;

/// The rule of three: n rows of which none is an alarm show with 95 % confidence that the rate is at most
/// about 3 / n. So with fewer than this many safe rows, a rate cannot be shown.
[[nodiscard]] double rows_to_show(double rate) noexcept;

/// How many of n safe rows may be blocked. None when n is too small to show the target: a threshold that lets
/// one through then would be a guess.
[[nodiscard]] std::int64_t allowed_alarms(double target_fpr, std::int64_t n_safe) noexcept;

/// True when `a` serves the goal better than `b`: both are counts over the same rows. With a target: a higher
/// recall without more false alarms than the target allows or `b` has, or as high a recall with fewer.
[[nodiscard]] bool is_better(const Goal& goal, const Counts& a, const Counts& b) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_GOAL_HPP
