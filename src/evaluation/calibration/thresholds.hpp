// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_THRESHOLDS_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_THRESHOLDS_HPP

#include <optional>
#include <vector>

#include "evaluation/calibration/goal.hpp"
#include "evaluation/counts.hpp"
#include "evaluation/ranking.hpp"

namespace qwen3guard::evaluation {

/// A threshold, and what it makes of the rows that it was chosen on.
struct ThresholdChoice {
  float threshold = 1;  ///< in [0, 1]
  Counts counts;
};

/// The threshold that serves the goal best: among the rows' own scores, and the next number above them, which
/// blocks none of these rows. With a target: the lowest that keeps within the allowed alarms
/// (allowed_alarms()). For F-beta: the best, of equally good ones the highest. Rows with equal scores stand
/// or fall together. Scores are in [0, 1], infinite where every threshold is reached, -infinite where none
/// is. Empty: a class is missing, or even the highest threshold lets too many alarms through. Time: O(n log
/// n).
[[nodiscard]] std::optional<ThresholdChoice> choose_threshold(const Goal& goal, std::vector<ScoredRow> rows);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_THRESHOLDS_HPP
