// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_RELIABILITY_HPP
#define QWEN3GUARD_SRC_EVALUATION_RELIABILITY_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "evaluation/ranking.hpp"

namespace qwen3guard::evaluation {

/// Rows with a score in [low, high); the last bin has 1, too.
struct ReliabilityBin {
  double low = 0, high = 0;
  std::int64_t n = 0;
  /// Empty in a bin without rows. @{
  std::optional<double> mean_score, positive_rate;  /// @}
};

/// Whether of the rows with a score of 0.3 three in ten are positive.
struct Reliability {
  /// Expected calibration error: the mean over rows of |mean score - positive rate| of the row's bin (Guo et
  /// al. 2017, arXiv:1706.04599, section 2).
  double ece = 0;
  double brier = 0;  ///< mean of (score - is_positive)^2
  std::int64_t n = 0;
  std::array<ReliabilityBin, 10> bins{};
};

/// Scores are probabilities of being positive, in [0, 1]. Empty without rows.
[[nodiscard]] std::optional<Reliability> reliability(std::span<const ScoredRow> rows);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_RELIABILITY_HPP
