// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TENSOR_QUANTIZE_GROUP_HPP
#define QWEN3GUARD_SRC_TENSOR_QUANTIZE_GROUP_HPP

#include <cstddef>
#include <cstdint>

namespace qwen3guard::detail {

/// Quantises one group: q[i] * scale is close to w[i]. All w finite. Returns the scale as bfloat16; 0 when
/// all w are 0 (then all q are 0).
[[nodiscard]] std::uint16_t quantize_group_q8(std::int8_t* q, const float* w, std::size_t n) noexcept;

/// importance: [n], or null for all alike. n <= 32.
[[nodiscard]] std::uint16_t quantize_group_q4(std::int8_t* q, const float* w, const float* importance,
                                              std::size_t n) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TENSOR_QUANTIZE_GROUP_HPP
