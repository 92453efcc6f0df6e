// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CATEGORY_METRICS_HPP
#define QWEN3GUARD_SRC_EVALUATION_CATEGORY_METRICS_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "evaluation/record.hpp"

namespace qwen3guard::evaluation {

/// Of the rows with gold label Unsafe or Controversial and one gold category (each, when there are several).
struct CategoryMetrics {
  std::int64_t n = 0;
  std::int64_t n_flagged_strict = 0;  ///< of n: Unsafe or Controversial, or a deny list decided
  std::int64_t n_flagged_loose = 0;   ///< of n: Unsafe, or a deny list decided
  std::int64_t n_called = 0;  ///< of n: the model said Unsafe or Controversial, and so named categories
  std::int64_t n_named = 0;   ///< of n_called: the gold category is among those named

  /// Empty when n, or n_called, is 0. @{
  [[nodiscard]] std::optional<double> recall_strict() const noexcept;
  [[nodiscard]] std::optional<double> recall_loose() const noexcept;
  [[nodiscard]] std::optional<double> named_rate() const noexcept;  /// @}
};

/// By Category.
using CategoryTable = std::array<CategoryMetrics, kCategoryCount>;
[[nodiscard]] CategoryTable category_metrics(std::span<const Record* const> rows);

/// Gold categories against named ones: the first of each, of rows that are Unsafe or Controversial and that
/// the model called so. arXiv:2510.14276, figure 5.
struct CategoryConfusion {
  std::array<std::array<std::int64_t, kCategoryCount>, kCategoryCount> counts{};  ///< [gold][named]
  double accuracy = 0;  ///< share of rows on the diagonal
};
/// Empty without such rows.
[[nodiscard]] std::optional<CategoryConfusion> category_confusion(std::span<const Record* const> rows);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CATEGORY_METRICS_HPP
