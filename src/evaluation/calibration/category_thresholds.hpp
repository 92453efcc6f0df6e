// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_CATEGORY_THRESHOLDS_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_CATEGORY_THRESHOLDS_HPP

#include <array>
#include <cstdint>
#include <optional>
#include <span>

#include "evaluation/calibration/goal.hpp"
#include "evaluation/calibration/reach.hpp"
#include "evaluation/counts.hpp"

namespace qwen3guard::evaluation {

/// A row for which thresholds of categories decide.
struct ReachRow {
  const Reach* reach = nullptr;
  bool is_positive = false;
};

/// Harmful rows and others that one category's threshold has a say in, by Category.
struct CategoryRows {
  std::array<std::int64_t, kCategoryCount> n_positive{}, n_negative{};
};
[[nodiscard]] CategoryRows count_categories(std::span<const ReachRow> rows) noexcept;

/// A category gets a threshold of its own from this many rows of each kind on.
inline constexpr std::int64_t kMinCategoryRows = 30;
/// Those that have as many.
[[nodiscard]] CategorySet large_categories(const CategoryRows& rows) noexcept;

/// Thresholds, and what they make of the rows that they were chosen on.
struct ThresholdsChoice {
  Thresholds thresholds{};
  CategorySet own = 0;  ///< whose threshold is another than that of the rest
  Counts counts;
};

/// Thresholds of which each category in `own` has one, and all others have one together, that serve the goal
/// best: with a target, alarms are spent where they buy most recall. Never worse on these rows than the
/// one threshold for all that choose_threshold() finds, which the others keep when they have too few rows.
/// Empty: as choose_threshold(). Time: O(n log n) for each category.
[[nodiscard]] std::optional<ThresholdsChoice> choose_thresholds(const Goal& goal,
                                                                std::span<const ReachRow> rows,
                                                                CategorySet own);

/// What thresholds make of rows.
[[nodiscard]] Counts count_blocked(std::span<const ReachRow> rows, const Thresholds& thresholds) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_CATEGORY_THRESHOLDS_HPP
