// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_PACKED_MATRIX_HPP
#define QWEN3GUARD_SRC_TENSOR_PACKED_MATRIX_HPP

#include <cstddef>
#include <cstdint>

#include "kernels/packed_args.hpp"
#include "tensor/weight_types.hpp"

namespace qwen3guard::detail {

/// Sizes of a packed matrix [rows, cols]. group: columns per scale, 0 for one scale per row, or when the type
/// has none. The type has a row in kWeightTypes.
struct PackedShape {
  PackedWeights type = PackedWeights::bf16;
  std::size_t rows = 0, cols = 0, group = 0;

  [[nodiscard]] constexpr std::size_t n_panels() const noexcept {
    return (rows + kPanelRows - 1) / kPanelRows;
  }
  /// Columns with padding.
  [[nodiscard]] constexpr std::size_t k() const noexcept {
    const std::size_t unit = group > kPackedCols ? group : kPackedCols;  // both are powers of two
    return (cols + unit - 1) / unit * unit;
  }
  /// Columns per scale, with a whole row's padding when there is one scale per row.
  [[nodiscard]] constexpr std::size_t group_cols() const noexcept { return group == 0 ? k() : group; }
  [[nodiscard]] constexpr std::size_t n_groups() const noexcept { return k() / group_cols(); }
  [[nodiscard]] constexpr std::size_t panel_bytes() const noexcept {
    return kPanelRows * k() * weight_type(type).bits / 8;
  }
  [[nodiscard]] constexpr std::size_t data_bytes() const noexcept { return n_panels() * panel_bytes(); }
  /// Number of bfloat16 scales.
  [[nodiscard]] constexpr std::size_t n_scales() const noexcept {
    return weight_type(type).has_scales() ? n_panels() * n_groups() * kPanelRows : 0;
  }
};

/// A packed matrix somewhere in memory. Owns nothing.
struct PackedView {
  PackedShape shape;
  const void* data = nullptr;             ///< shape.data_bytes(), 64-byte aligned
  const std::uint16_t* scales = nullptr;  ///< shape.n_scales() bfloat16; null when there are none
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_PACKED_MATRIX_HPP
