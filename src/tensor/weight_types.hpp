// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_WEIGHT_TYPES_HPP
#define QWEN3GUARD_SRC_TENSOR_WEIGHT_TYPES_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "kernels/kernel_table.hpp"
#include "qwen3guard/packed_weights.hpp"
#include "tensor/dtype.hpp"
#include "tensor/pack_row.hpp"

/// The ways of storing packed weights, one row each: whatever depends on the type is asked of its row.
/// CONTRIBUTING.md ("To add a weight type") says what else a new one needs.
namespace qwen3guard::detail {

/// The form of x in a product.
enum class Arithmetic : std::uint8_t {
  fp32,  ///< as it is
  bf16,  ///< rounded to bfloat16
  int8,  ///< quantised, with a scale per row and group of columns
};

/// One way of storing a packed matrix (packed_args.hpp has the bytes).
struct WeightType {
  PackedWeights id;
  /// The format of weights that are numbers by themselves. None: they are integers, and there is a bfloat16
  /// scale for each row and group of columns.
  std::optional<DType> element;
  Arithmetic x;
  const char* name;                     ///< in files, options and reports. Static storage
  std::size_t bits;                     ///< of one weight
  std::int32_t offset;                  ///< what is added to an integer to store it without a sign
  float max_abs;                        ///< the largest magnitude that can be packed
  std::span<const std::size_t> groups;  ///< those there are: columns per scale, 0 for one scale per row
  std::size_t default_group;
  void (*KernelTable::*gemm)(const PackedArgs& args) noexcept;
  void (*pack_row)(const RowToPack& row) noexcept;
  void (*unpack_row)(std::span<float> y, const PackedRow& row) noexcept;

  [[nodiscard]] constexpr bool has_scales() const noexcept { return !element; }
  /// Columns of a line of a panel.
  [[nodiscard]] constexpr std::size_t line_cols() const noexcept {
    return kPackedLineBytes * 8 / (kPanelRows * bits);
  }
  /// A byte of weights that are all zero.
  [[nodiscard]] constexpr std::uint8_t zero_byte() const noexcept {
    std::uint32_t byte = 0;
    for (std::size_t bit = 0; bit < 8; bit += bits) byte |= static_cast<std::uint32_t>(offset) << bit;
    return static_cast<std::uint8_t>(byte);
  }
};

inline constexpr std::size_t kNoGroups[] = {0}, kGroupsInt8[] = {32, 64, 128, 0}, kGroupsInt4[] = {32};
/// The largest bfloat16, which scales are rounded to, and the largest binary16.
inline constexpr float kMaxBF16 = 0x1.fep127F, kMaxF16 = 65504.0F;

/// By the value of PackedWeights.
inline constexpr WeightType kWeightTypes[] = {
    {.id = PackedWeights::bf16,
     .element = DType::bf16,
     .x = Arithmetic::bf16,
     .name = "bf16",
     .bits = 16,
     .offset = 0,
     .max_abs = kMaxBF16,
     .groups = kNoGroups,
     .default_group = 0,
     .gemm = &KernelTable::gemm_bf16,
     .pack_row = pack_row_bf16,
     .unpack_row = unpack_row_bf16},
    {.id = PackedWeights::int8,
     .element = std::nullopt,
     .x = Arithmetic::int8,
     .name = "int8",
     .bits = 8,
     .offset = kQ8Offset,
     .max_abs = kMaxBF16,
     .groups = kGroupsInt8,
     .default_group = 64,
     .gemm = &KernelTable::gemm_q8,
     .pack_row = pack_row_int8,
     .unpack_row = unpack_row_int8},
    {.id = PackedWeights::int4,
     .element = std::nullopt,
     .x = Arithmetic::int8,
     .name = "int4",
     .bits = 4,
     .offset = kQ4Offset,
     .max_abs = kMaxBF16,
     .groups = kGroupsInt4,
     .default_group = 32,
     .gemm = &KernelTable::gemm_q4,
     .pack_row = pack_row_int4,
     .unpack_row = unpack_row_int4},
    {.id = PackedWeights::fp16,
     .element = DType::f16,
     .x = Arithmetic::fp32,
     .name = "fp16",
     .bits = 16,
     .offset = 0,
     .max_abs = kMaxF16,
     .groups = kNoGroups,
     .default_group = 0,
     .gemm = &KernelTable::gemm_f16,
     .pack_row = pack_row_fp16,
     .unpack_row = unpack_row_fp16},
};

/// Null for a value that no row has. A file's or a user's value goes through here first.
[[nodiscard]] constexpr const WeightType* find_weight_type(PackedWeights type) noexcept {
  const auto index = static_cast<std::size_t>(type);
  return index < std::size(kWeightTypes) ? &kWeightTypes[index] : nullptr;
}

/// Precondition: find_weight_type(type).
[[nodiscard]] constexpr const WeightType& weight_type(PackedWeights type) noexcept {
  return kWeightTypes[static_cast<std::size_t>(type)];
}
static_assert([] {
  for (const WeightType& type : kWeightTypes) {
    if (&type != find_weight_type(type.id)) return false;
  }
  return true;
}());

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_WEIGHT_TYPES_HPP
