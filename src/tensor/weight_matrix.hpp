// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_WEIGHT_MATRIX_HPP
#define QWEN3GUARD_SRC_TENSOR_WEIGHT_MATRIX_HPP

#include <cstddef>
#include <variant>

#include "tensor/packed_matrix.hpp"
#include "tensor/tensor_view.hpp"

namespace qwen3guard::detail {

/// A weight matrix [rows, cols] as its file stores it: plain rows, or packed. Owns nothing.
struct WeightMatrix {
  std::variant<MatrixView, PackedView> stored;

  /// Null when it is packed.
  [[nodiscard]] const MatrixView* plain() const noexcept { return std::get_if<MatrixView>(&stored); }
  /// Null when it is plain.
  [[nodiscard]] const PackedView* packed() const noexcept { return std::get_if<PackedView>(&stored); }

  [[nodiscard]] std::size_t rows() const noexcept {
    return plain() != nullptr ? plain()->rows : packed()->shape.rows;
  }
  [[nodiscard]] std::size_t cols() const noexcept {
    return plain() != nullptr ? plain()->cols : packed()->shape.cols;
  }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_WEIGHT_MATRIX_HPP
