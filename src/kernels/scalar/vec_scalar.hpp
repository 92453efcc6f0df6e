// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_SCALAR_VEC_SCALAR_HPP
#define QWEN3GUARD_SRC_KERNELS_SCALAR_VEC_SCALAR_HPP

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "util/half.hpp"

// Four floats in plain C++: any architecture, no instruction-set flags. Compilers turn the loops into
// whatever the baseline has. See generic/kernels.inl for what a Vec must offer.
namespace {

struct Vec {
  static constexpr std::size_t kLanes = 4;
  /// Whether dot products take two vectors at a time: not here, twice the accumulators overflow the
  /// registers.
  static constexpr bool kPairs = false;
  float v[kLanes];

  static Vec zero() { return broadcast(0.0F); }
  static Vec broadcast(float f) { return {{f, f, f, f}}; }
  static Vec load(const float* p) { return {{p[0], p[1], p[2], p[3]}}; }
  static Vec load_bf16(const std::uint16_t* p) {
    using qwen3guard::detail::bf16_to_f32;
    return {{bf16_to_f32(p[0]), bf16_to_f32(p[1]), bf16_to_f32(p[2]), bf16_to_f32(p[3])}};
  }
  static Vec load_f16(const std::uint16_t* p) {
    using qwen3guard::detail::f16_to_f32;
    return {{f16_to_f32(p[0]), f16_to_f32(p[1]), f16_to_f32(p[2]), f16_to_f32(p[3])}};
  }
  void store(float* p) const {
    for (std::size_t i = 0; i < kLanes; ++i) p[i] = v[i];
  }
  float sum() const { return (v[0] + v[2]) + (v[1] + v[3]); }
  float max_lane() const {
    const float a = v[0] > v[1] ? v[0] : v[1], b = v[2] > v[3] ? v[2] : v[3];
    return a > b ? a : b;
  }
};

inline Vec add(Vec a, Vec b) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) a.v[i] += b.v[i];
  return a;
}
inline Vec sub(Vec a, Vec b) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) a.v[i] -= b.v[i];
  return a;
}
inline Vec mul(Vec a, Vec b) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) a.v[i] *= b.v[i];
  return a;
}
inline Vec div(Vec a, Vec b) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) a.v[i] /= b.v[i];
  return a;
}
inline Vec max(Vec a, Vec b) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) a.v[i] = a.v[i] > b.v[i] ? a.v[i] : b.v[i];
  return a;
}
inline Vec min(Vec a, Vec b) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) a.v[i] = a.v[i] < b.v[i] ? a.v[i] : b.v[i];
  return a;
}
/// a * b + c.
inline Vec fma(Vec a, Vec b, Vec c) { return add(mul(a, b), c); }
/// Nearest integer.
inline Vec round(Vec a) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) a.v[i] = std::nearbyintf(a.v[i]);
  return a;
}
/// 2^n for integral n in [-126, 127].
inline Vec pow2(Vec n) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) {
    const auto exponent = static_cast<std::uint32_t>(static_cast<std::int32_t>(n.v[i]) + 127);
    n.v[i] = std::bit_cast<float>(exponent << 23);
  }
  return n;
}

}  // namespace

#endif  // QWEN3GUARD_SRC_KERNELS_SCALAR_VEC_SCALAR_HPP
