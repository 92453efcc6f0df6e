// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_PACKED_ARGS_HPP
#define QWEN3GUARD_SRC_KERNELS_PACKED_ARGS_HPP

#include <cstddef>
#include <cstdint>

// Plain data only, as in kernel_table.hpp.
namespace qwen3guard::detail {

/// The packed layout, the same for every instruction set: a weight matrix [n, k] is cut into panels of
/// kPanelRows rows (the last one padded with zero weights), k is padded to a multiple of kPackedCols (and of
/// the group), and each panel is a stream of 64-byte lines. One line is a vector register of AVX-512, a row
/// of an AMX tile, two registers of AVX2, four of NEON:
///   bf16: line l holds columns 2l, 2l+1:   element [r][j] at 2 r + j   (j < 2), 16 bits
///   f16:  line l holds columns 2l, 2l+1:   element [r][j] at 16 j + r  (j < 2), IEEE binary16: a column's 16
///         rows are neighbours, because they are widened to float32 before they are multiplied
///   q8:   line l holds columns 4l .. 4l+3: byte [r][j] at 4 r + j      (j < 4), value + 128
///   q4:   line l holds columns 8l .. 8l+7: byte [r][j] at 4 r + j      (j < 4); its low nibble is column
///         8l + j, its high nibble column 8l + 4 + j, each value + 8
/// A quantised weight is value * scale; there is one scale, a bfloat16, per row and group of columns:
/// scales [n_panels][n_groups][kPanelRows].
inline constexpr std::size_t kPanelRows = 16;
inline constexpr std::size_t kPackedCols = 64;
inline constexpr std::size_t kPackedLineBytes = 64;
/// What is added to a value to store it without a sign.
inline constexpr std::int32_t kQ8Offset = 128, kQ4Offset = 8;

/// Operands of y = x w^T (or y += x w^T) for packed weights. For q8 and q4 x is quantised by quantise_q8 with
/// the group of w; for bf16 it is rounded to bfloat16, and for f16 it is float32 as computed, because
/// activations can be larger than the largest binary16; `group`, scales and starts are not looked at in both.
/// Columns of x between the matrix's own k and the padded one are zero.
struct PackedArgs {
  const void* w;                            ///< first panel, 64-byte aligned
  std::size_t panel_bytes;                  ///< from one panel to the next
  const std::uint16_t* w_scales = nullptr;  ///< q8, q4
  const void* x;    ///< [m, k]: int8_t, bfloat16 as uint16_t, or float (f16); row starts 4-byte aligned
  std::size_t ldx;  ///< in elements of x
  const float* x_scales = nullptr;  ///< q8, q4: [m, k / group]
  /// q8, q4: [m, k / group]: minus the offset of the weights times the sum of the group's quantised x.
  /// Integer sums start here, which takes the offset out again.
  const std::int32_t* x_starts = nullptr;
  float* y;
  std::size_t ldy;
  std::size_t m;
  std::size_t n;  ///< columns of y to write; not necessarily a multiple of kPanelRows
  std::size_t k;  ///< padded: a multiple of kPackedCols (bf16: of 32 is enough, f16: of 2) and of group
  std::size_t group = 0;    ///< q8, q4: columns per scale: a multiple of 32, or k
  bool accumulate = false;  ///< bf16, f16: y += instead of y =
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_KERNELS_PACKED_ARGS_HPP
