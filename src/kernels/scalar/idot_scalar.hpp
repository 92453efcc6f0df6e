// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_SCALAR_IDOT_SCALAR_HPP
#define QWEN3GUARD_SRC_KERNELS_SCALAR_IDOT_SCALAR_HPP

#include "kernels/generic/tile_shape.hpp"
#include "kernels/scalar/vec_scalar.hpp"

// What generic/packed.inl needs, in plain C++: the reference that all others are tested against.
namespace {

inline constexpr TileShape kTile{.rows = 2, .panels = 1, .row_panels = 1, .pair_panels = 1};
inline constexpr TileShape kBf16Tile = kTile,
                           kF16Tile{.rows = 4, .panels = 1, .row_panels = 1, .pair_panels = 1};
inline constexpr bool kSignedBytes = false;

struct IVec {
  std::int32_t v[Vec::kLanes];
  static IVec broadcast(std::int32_t n) { return {{n, n, n, n}}; }
};
inline Vec to_float(IVec a) {
  Vec out{};
  for (std::size_t i = 0; i < Vec::kLanes; ++i) out.v[i] = static_cast<float>(a.v[i]);
  return out;
}

struct Bytes {
  std::uint8_t v[4 * Vec::kLanes];
  static Bytes load(const std::uint8_t* p) {
    Bytes out{};
    for (std::size_t i = 0; i < sizeof(out.v); ++i) out.v[i] = p[i];
    return out;
  }
};
inline Bytes low_nibbles(Bytes a) {
  for (std::uint8_t& b : a.v) b &= 15U;
  return a;
}
inline Bytes high_nibbles(Bytes a) {
  for (std::uint8_t& b : a.v) b = static_cast<std::uint8_t>(b >> 4);
  return a;
}
using Weights = Bytes;
inline Weights prepare(Bytes a) { return a; }

struct Quad {
  const std::int8_t* p;
  static Quad load(const std::int8_t* p) { return {p}; }
};
inline IVec dot(IVec acc, Weights w, Quad x) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i)
    for (std::size_t j = 0; j < 4; ++j) acc.v[i] += w.v[4 * i + j] * x.p[j];
  return acc;
}

inline void store_i8(std::int8_t* p, Vec a) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) p[i] = static_cast<std::int8_t>(a.v[i]);
}
inline void store_bf16(std::uint16_t* p, Vec a) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) p[i] = qwen3guard::detail::f32_to_bf16(a.v[i]);
}
inline void store_f16(std::uint16_t* p, Vec a) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) p[i] = qwen3guard::detail::f32_to_f16(a.v[i]);
}

struct Lines {
  const std::uint16_t* p;
  static Lines load(const std::uint16_t* p) { return {p}; }
};
struct Pair {
  float first, second;
  static Pair load(const std::uint16_t* p) {
    return {qwen3guard::detail::bf16_to_f32(p[0]), qwen3guard::detail::bf16_to_f32(p[1])};
  }
};
inline Vec dot_pairs(Vec acc, Lines w, Pair x) {
  for (std::size_t i = 0; i < Vec::kLanes; ++i) {
    acc.v[i] += qwen3guard::detail::bf16_to_f32(w.p[2 * i]) * x.first;
    acc.v[i] += qwen3guard::detail::bf16_to_f32(w.p[2 * i + 1]) * x.second;
  }
  return acc;
}

}  // namespace

#endif  // QWEN3GUARD_SRC_KERNELS_SCALAR_IDOT_SCALAR_HPP
