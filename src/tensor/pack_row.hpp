// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_PACK_ROW_HPP
#define QWEN3GUARD_SRC_TENSOR_PACK_ROW_HPP

#include <cstddef>
#include <cstdint>
#include <span>

/// One row of weights into a panel and out of it, for each type (packed_args.hpp has the bytes).
namespace qwen3guard::detail {

struct RowToPack {
  std::byte* panel;               ///< its first line
  std::size_t r;                  ///< the row within the panel
  std::span<const float> values;  ///< [k]: padding is 0, no magnitude above WeightType::max_abs
  std::span<std::int8_t> levels;  ///< [k]: scratch
  std::uint16_t* scales;    ///< the row's first; one for each group, kPanelRows apart. Null without scales
  std::size_t group_cols;   ///< columns per scale
  const float* importance;  ///< [k], or null for all alike
};

struct PackedRow {
  const std::byte* panel;
  std::size_t r;
  const std::uint16_t* scales;  ///< as above
  std::size_t group_cols;
};

void pack_row_bf16(const RowToPack& row) noexcept;
void pack_row_int8(const RowToPack& row) noexcept;
void pack_row_int4(const RowToPack& row) noexcept;
void pack_row_fp16(const RowToPack& row) noexcept;

/// y: [columns], up to k of them.
void unpack_row_bf16(std::span<float> y, const PackedRow& row) noexcept;
void unpack_row_int8(std::span<float> y, const PackedRow& row) noexcept;
void unpack_row_int4(std::span<float> y, const PackedRow& row) noexcept;
void unpack_row_fp16(std::span<float> y, const PackedRow& row) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_PACK_ROW_HPP
