// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_DTYPE_HPP
#define QWEN3GUARD_SRC_TENSOR_DTYPE_HPP

#include <cstddef>
#include <cstdint>

#include "kernels/kernel_table.hpp"

namespace qwen3guard::detail {

/// A floating-point format that weights are stored in. All arithmetic on plain weights is in float32.
enum class DType { bf16, f16, f32 };

/// What there is to know about a DType.
struct DTypeInfo {
  DType id;
  const char* name;  ///< in safetensors files. Static storage
  std::size_t bytes;
  /// Bits of the exponent (all ones: an infinity or NaN), and all bits but the sign.
  std::uint32_t exponent, magnitude;
  /// Widens elements to float32; null for float32, which is used where it lies.
  void (*KernelTable::*widen)(float* y, const std::uint16_t* x, std::size_t n) noexcept;
  void (*KernelTable::*dot)(const DotArgs& args) noexcept;
};

/// By the value of DType.
inline constexpr DTypeInfo kDTypes[] = {
    {DType::bf16, "BF16", 2, 0x7F80, 0x7FFF, &KernelTable::widen_bf16, &KernelTable::dot_bf16},
    {DType::f16, "F16", 2, 0x7C00, 0x7FFF, &KernelTable::widen_f16, &KernelTable::dot_f16},
    {DType::f32, "F32", 4, 0x7F800000, 0x7FFFFFFF, nullptr, &KernelTable::dot_f32},
};

[[nodiscard]] constexpr const DTypeInfo& info_of(DType dtype) noexcept {
  return kDTypes[static_cast<std::size_t>(dtype)];
}
static_assert([] {
  for (const DTypeInfo& info : kDTypes) {
    if (&info != &info_of(info.id)) return false;
  }
  return true;
}());

[[nodiscard]] constexpr std::size_t size_bytes(DType dtype) noexcept { return info_of(dtype).bytes; }

/// The name in safetensors files: "BF16", "F16", "F32". Static storage.
[[nodiscard]] constexpr const char* to_string(DType dtype) noexcept { return info_of(dtype).name; }

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_DTYPE_HPP
