// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_PACKED_MATRIX_HPP
#define QWEN3GUARD_SRC_TENSOR_PACKED_MATRIX_HPP

#include <cstddef>
#include <cstdint>

#include "kernels/packed_args.hpp"

namespace qwen3guard::detail {

/// How a packed matrix stores its weights (packed_args.hpp has the bytes).
enum class PackedType : std::int32_t { bf16 = 0, q8 = 1, q4 = 2 };

/// "bf16", "int8", "int4": the names users know. Static storage.
[[nodiscard]] constexpr const char* to_string(PackedType type) noexcept {
  switch (type) {
    case PackedType::bf16:
      return "bf16";
    case PackedType::q8:
      return "int8";
    case PackedType::q4:
      break;
  }
  return "int4";
}

/// Sizes of a packed matrix [rows, cols]. group: columns per scale, 0 for one scale per row (bf16 has none).
struct PackedShape {
  PackedType type = PackedType::bf16;
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
    const std::size_t n = kPanelRows * k();
    return type == PackedType::bf16 ? n * 2 : type == PackedType::q8 ? n : n / 2;
  }
  [[nodiscard]] constexpr std::size_t data_bytes() const noexcept { return n_panels() * panel_bytes(); }
  /// Number of bfloat16 scales.
  [[nodiscard]] constexpr std::size_t n_scales() const noexcept {
    return type == PackedType::bf16 ? 0 : n_panels() * n_groups() * kPanelRows;
  }
};

/// A packed matrix somewhere in memory. Owns nothing.
struct PackedView {
  PackedShape shape;
  const void* data = nullptr;             ///< shape.data_bytes(), 64-byte aligned
  const std::uint16_t* scales = nullptr;  ///< shape.n_scales() bfloat16; null for bf16
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_PACKED_MATRIX_HPP
