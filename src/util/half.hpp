// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_HALF_HPP
#define QWEN3GUARD_SRC_UTIL_HALF_HPP

#include <bit>
#include <cstdint>

/// Scalar conversions between float32 and the two 16-bit formats: the reference for every kernel.
namespace qwen3guard::detail {

/// bfloat16 is the upper half of a float32: exact.
[[nodiscard]] inline float bf16_to_f32(std::uint16_t h) noexcept {
  return std::bit_cast<float>(static_cast<std::uint32_t>(h) << 16);
}

/// Round to nearest, ties to even. NaN stays NaN (quiet).
[[nodiscard]] inline std::uint16_t f32_to_bf16(float f) noexcept {
  const auto u = std::bit_cast<std::uint32_t>(f);
  if ((u & 0x7fffffffU) > 0x7f800000U) return static_cast<std::uint16_t>((u >> 16) | 0x40U);
  return static_cast<std::uint16_t>((u + 0x7fffU + ((u >> 16) & 1U)) >> 16);
}

/// IEEE binary16 to float32: exact, subnormal values included. NaN becomes quiet, as the F16C instruction
/// does.
[[nodiscard]] inline float f16_to_f32(std::uint16_t h) noexcept {
  // Sign, exponent and fraction where float32 has them: shifting copies of the sign into the gap that the
  // longer exponent leaves, which the mask clears.
  const std::uint32_t wide = (static_cast<std::uint32_t>(static_cast<std::int16_t>(h)) << 13) & 0x8fffe000U;
  // The exponent is neither 0 nor the largest: one more of it is above 1 and has not overflowed.
  if (((h + 0x400U) & 0x7800U) != 0) [[likely]]
    return std::bit_cast<float>(wide + (112U << 23));
  if ((h & 0x7c00U) != 0) {
    const std::uint32_t quiet = (h & 0x3ffU) == 0 ? 0 : 0x400000U;
    return std::bit_cast<float>(wide | 0x7f800000U | quiet);
  }
  const float magnitude = static_cast<float>(h & 0x3ffU) * 0x1p-24F;  // exact
  return std::bit_cast<float>((wide & 0x80000000U) | std::bit_cast<std::uint32_t>(magnitude));
}

/// float32 to IEEE binary16: round to nearest, ties to even; overflow becomes infinity.
[[nodiscard]] inline std::uint16_t f32_to_f16(float f) noexcept {
  const auto u = std::bit_cast<std::uint32_t>(f);
  const std::uint32_t sign = (u >> 16) & 0x8000U;
  const std::uint32_t magnitude = u & 0x7fffffffU;
  if (magnitude > 0x7f800000U)
    return static_cast<std::uint16_t>(sign | 0x7e00U | ((magnitude >> 13) & 0x3ffU));
  if (magnitude >= 0x477ff000U) return static_cast<std::uint16_t>(sign | 0x7c00U);
  if (magnitude < 0x38800000U) {
    // Subnormal or zero: adding 0.5 shifts the fraction so that the FPU's own rounding does the work.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5F;
    return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(shifted) - 0x3f000000U));
  }
  const std::uint32_t rounded = magnitude + 0xfffU + ((magnitude >> 13) & 1U);
  return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13));
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_HALF_HPP
