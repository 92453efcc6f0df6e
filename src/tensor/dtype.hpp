// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_DTYPE_HPP
#define QWEN3GUARD_SRC_TENSOR_DTYPE_HPP

#include <cstddef>

namespace qwen3guard::detail {

/// How a weight is stored. All arithmetic is in float32.
enum class DType { bf16, f16, f32 };

[[nodiscard]] constexpr std::size_t size_bytes(DType dtype) noexcept { return dtype == DType::f32 ? 4 : 2; }

/// The name in safetensors files: "BF16", "F16", "F32". Static storage.
[[nodiscard]] constexpr const char* to_string(DType dtype) noexcept {
  switch (dtype) {
    case DType::bf16:
      return "BF16";
    case DType::f16:
      return "F16";
    case DType::f32:
      break;
  }
  return "F32";
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_DTYPE_HPP
