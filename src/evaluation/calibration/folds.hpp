// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_FOLDS_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_FOLDS_HPP

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::evaluation {

/// What decides into which fold a row comes.
struct FoldRow {
  std::string_view group;  ///< empty: the row's own
  Severity label = Severity::safe;
  bool is_positive = false;
};

/// The fold of each row, 0 to n - 1, for cross-validation: rows of one group are in one fold, and the folds
/// have about the same share of each label. n is `n_folds`, or as many as there are groups of the rarer of
/// positive and other rows, so that each fold has both. Empty when that is less than 2. The same for the same
/// seed, everywhere.
[[nodiscard]] std::vector<std::int32_t> make_folds(std::span<const FoldRow> rows, std::int32_t n_folds,
                                                   std::uint64_t seed);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_FOLDS_HPP
