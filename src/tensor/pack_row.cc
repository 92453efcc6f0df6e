// SPDX-License-Identifier: Apache-2.0
#include "tensor/pack_row.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/packed_args.hpp"
#include "tensor/quantize_group.hpp"
#include "util/half.hpp"

namespace qwen3guard::detail {
namespace {

/// Where column c of row r begins, for bfloat16.
std::size_t bf16_at(std::size_t r, std::size_t c) noexcept {
  return c / 2 * kPackedLineBytes + 4 * r + c % 2 * 2;
}

/// The byte of column c of row r, for int8.
std::size_t int8_at(std::size_t r, std::size_t c) noexcept {
  return c / 4 * kPackedLineBytes + 4 * r + c % 4;
}

/// The byte of column c of row r, for int4: the low half for c % 8 < 4.
std::size_t int4_at(std::size_t r, std::size_t c) noexcept {
  return c / 8 * kPackedLineBytes + 4 * r + c % 4;
}

/// Where column c of row r begins, for binary16.
std::size_t fp16_at(std::size_t r, std::size_t c) noexcept {
  return c / 2 * kPackedLineBytes + c % 2 * 2 * kPanelRows + 2 * r;
}

/// quantise(levels, values, first column) returns the scale of a group.
template <class Quantise>
void quantise_groups(const RowToPack& row, const Quantise& quantise) noexcept {
  std::uint16_t* scale = row.scales;
  for (std::size_t c = 0; c < row.values.size(); c += row.group_cols, scale += kPanelRows)
    *scale = quantise(row.levels.data() + c, row.values.data() + c, c);
}

float scale_of(const PackedRow& row, std::size_t c) noexcept {
  return bf16_to_f32(row.scales[c / row.group_cols * kPanelRows]);
}

/// Types of 16 bits: column c of a row is at byte at(r, c) of its panel, as round() makes it of a float32.
template <class At, class Round>
void store_halves(const RowToPack& row, const At& at, const Round& round) noexcept {
  for (std::size_t c = 0; c < row.values.size(); ++c) {
    const std::uint16_t value = round(row.values[c]);
    std::memcpy(row.panel + at(row.r, c), &value, sizeof value);
  }
}

template <class At, class Widen>
void load_halves(std::span<float> y, const PackedRow& row, const At& at, const Widen& widen_half) noexcept {
  for (std::size_t c = 0; c < y.size(); ++c) {
    std::uint16_t value = 0;
    std::memcpy(&value, row.panel + at(row.r, c), sizeof value);
    y[c] = widen_half(value);
  }
}

}  // namespace

void pack_row_bf16(const RowToPack& row) noexcept { store_halves(row, bf16_at, f32_to_bf16); }

void unpack_row_bf16(std::span<float> y, const PackedRow& row) noexcept {
  load_halves(y, row, bf16_at, bf16_to_f32);
}

void pack_row_int8(const RowToPack& row) noexcept {
  quantise_groups(row, [&](std::int8_t* levels, const float* values, std::size_t) {
    return quantize_group_q8(levels, values, row.group_cols);
  });
  for (std::size_t c = 0; c < row.levels.size(); ++c)
    row.panel[int8_at(row.r, c)] = static_cast<std::byte>(row.levels[c] + kQ8Offset);
}

void unpack_row_int8(std::span<float> y, const PackedRow& row) noexcept {
  // Rows of embeddings are read like this for every token: no division in the inner loop.
  for (std::size_t begin = 0; begin < y.size(); begin += row.group_cols) {
    const float scale = scale_of(row, begin);
    const std::size_t end = std::min(y.size(), begin + row.group_cols);
    for (std::size_t c = begin; c < end; ++c) {
      const std::int32_t level = std::to_integer<std::int32_t>(row.panel[int8_at(row.r, c)]) - kQ8Offset;
      y[c] = static_cast<float>(level) * scale;
    }
  }
}

void pack_row_int4(const RowToPack& row) noexcept {
  quantise_groups(row, [&](std::int8_t* levels, const float* values, std::size_t c) {
    return quantize_group_q4(levels, values, row.importance == nullptr ? nullptr : row.importance + c,
                             row.group_cols);
  });
  for (std::size_t line = 0; line < row.levels.size(); line += 8) {
    for (std::size_t c = line; c < line + 4; ++c) {
      const std::int32_t low = row.levels[c] + kQ4Offset, high = row.levels[c + 4] + kQ4Offset;
      row.panel[int4_at(row.r, c)] = static_cast<std::byte>(low | high << 4);
    }
  }
}

void unpack_row_int4(std::span<float> y, const PackedRow& row) noexcept {
  for (std::size_t c = 0; c < y.size(); ++c) {
    const auto pair = std::to_integer<std::int32_t>(row.panel[int4_at(row.r, c)]);
    const std::int32_t level = (c % 8 < 4 ? pair & 15 : pair >> 4) - kQ4Offset;
    y[c] = static_cast<float>(level) * scale_of(row, c);
  }
}

void pack_row_fp16(const RowToPack& row) noexcept { store_halves(row, fp16_at, f32_to_f16); }

void unpack_row_fp16(std::span<float> y, const PackedRow& row) noexcept {
  load_halves(y, row, fp16_at, f16_to_f32);
}

}  // namespace qwen3guard::detail
