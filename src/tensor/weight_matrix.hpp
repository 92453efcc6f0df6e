// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_WEIGHT_MATRIX_HPP
#define QWEN3GUARD_SRC_TENSOR_WEIGHT_MATRIX_HPP

#include <cstddef>

#include "tensor/packed_matrix.hpp"
#include "tensor/tensor_view.hpp"

namespace qwen3guard::detail {

/// A weight matrix [rows, cols] as its file stores it: plain rows, or packed. Owns nothing.
struct WeightMatrix {
  MatrixView plain;   ///< unless is_packed
  PackedView packed;  ///< when is_packed
  bool is_packed = false;

  [[nodiscard]] std::size_t rows() const noexcept { return is_packed ? packed.shape.rows : plain.rows; }
  [[nodiscard]] std::size_t cols() const noexcept { return is_packed ? packed.shape.cols : plain.cols; }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_WEIGHT_MATRIX_HPP
