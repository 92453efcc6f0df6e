// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_TENSOR_VIEW_HPP
#define QWEN3GUARD_SRC_TENSOR_TENSOR_VIEW_HPP

#include <cstddef>
#include <span>

#include "kernels/kernel_table.hpp"
#include "tensor/dtype.hpp"

namespace qwen3guard::detail {

/// A stored weight matrix [rows, cols], row-major without gaps, aligned for its dtype. Owns nothing.
struct MatrixView {
  DType dtype = DType::f32;
  const void* data = nullptr;
  std::size_t rows = 0, cols = 0;

  /// Address of row r.
  [[nodiscard]] const void* row(std::size_t r) const noexcept {
    return static_cast<const std::byte*>(data) + r * cols * size_bytes(dtype);
  }
};

/// y[i] = row r of w as float32, y: [w.cols]. Oracle: load_safetensors widens the same way.
void widen_row(std::span<float> y, const MatrixView& w, std::size_t r, const KernelTable& kernels) noexcept;

/// y: [m, n rows of w from first_row], as KernelTable::dot_*: x: [m, w.cols], `ldy` elements between rows of
/// y.
void dot_rows(float* y, std::size_t ldy, const float* x, std::size_t ldx, std::size_t m, const MatrixView& w,
              std::size_t first_row, std::size_t n, const KernelTable& kernels) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_TENSOR_VIEW_HPP
