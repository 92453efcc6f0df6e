// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_ARM_IDOT_NEON_HPP
#define QWEN3GUARD_SRC_KERNELS_ARM_IDOT_NEON_HPP

#include <string.h>

#include "kernels/arm/vec_neon.hpp"
#include "kernels/generic/tile_shape.hpp"

// What generic/packed.inl needs, with Advanced SIMD. With Q3G_NEON_DOTPROD (Armv8.2 DotProd) the products of
// bytes are one instruction; with Q3G_NEON_I8MM (I8MM and BF16) that instruction takes unsigned weights, and
// the products of bfloat16 are one instruction too.
namespace {

/// 16 sums, up to 8 vectors of weights and an activation stay in the 32 registers.
inline constexpr TileShape kTile{.rows = 4, .panels = 1, .row_panels = 2, .pair_panels = 1};
/// 16 sums, four vectors of widened weights and an activation.
inline constexpr TileShape kBf16Tile = kTile, kF16Tile = kTile;

struct IVec {
  int32x4_t v;
  static IVec broadcast(std::int32_t n) { return {vdupq_n_s32(n)}; }
};
inline Vec to_float(IVec a) { return {vcvtq_f32_s32(a.v)}; }

struct Bytes {
  uint8x16_t v;
  static Bytes load(const std::uint8_t* p) { return {vld1q_u8(p)}; }
};
/// Bytes below 16: the same number signed and unsigned.
struct Nibbles {
  uint8x16_t v;
};
inline Nibbles low_nibbles(Bytes a) { return {vandq_u8(a.v, vdupq_n_u8(15))}; }
inline Nibbles high_nibbles(Bytes a) { return {vshrq_n_u8(a.v, 4)}; }

/// Four bytes in the lowest lane, which the instructions that multiply by a lane take from there.
template <class T>
inline uint64x1_t load_four_bytes(const T* p) {
  std::uint32_t four = 0;
  memcpy(&four, p, sizeof four);
  return vcreate_u64(four);
}

#ifdef Q3G_NEON_I8MM
inline constexpr bool kSignedBytes = false;
struct Weights {
  uint8x16_t v;
};
inline Weights prepare(Bytes a) { return {a.v}; }
inline Weights prepare(Nibbles a) { return {a.v}; }
struct Quad {
  int8x8_t v;
  static Quad load(const std::int8_t* p) { return {vreinterpret_s8_u64(load_four_bytes(p))}; }
};
inline IVec dot(IVec acc, Weights w, Quad x) { return {vusdotq_lane_s32(acc.v, w.v, x.v, 0)}; }
#else
/// The instructions multiply signed bytes only. Turning the top bit over takes 128 from an unsigned one, and
/// that is the offset of a stored 8-bit weight.
inline constexpr bool kSignedBytes = true;
struct Weights {
  int8x16_t v;
};
inline Weights prepare(Bytes a) { return {vreinterpretq_s8_u8(veorq_u8(a.v, vdupq_n_u8(128)))}; }
inline Weights prepare(Nibbles a) { return {vreinterpretq_s8_u8(a.v)}; }
#ifdef Q3G_NEON_DOTPROD
struct Quad {
  int8x8_t v;
  static Quad load(const std::int8_t* p) { return {vreinterpret_s8_u64(load_four_bytes(p))}; }
};
inline IVec dot(IVec acc, Weights w, Quad x) { return {vdotq_lane_s32(acc.v, w.v, x.v, 0)}; }
#else
struct Quad {
  int8x16_t v;
  static Quad load(const std::int8_t* p) {
    return {vreinterpretq_s8_s32(vdupq_lane_s32(vreinterpret_s32_u64(load_four_bytes(p)), 0))};
  }
};
/// Activations are in [-127, 127], so two products fit 16 bits: 2 * 128 * 127 < 2^15.
inline IVec dot(IVec acc, Weights w, Quad x) {
  const int16x8_t low = vmull_s8(vget_low_s8(w.v), vget_low_s8(x.v));
  const int16x8_t high = vmull_high_s8(w.v, x.v);
  return {vpadalq_s16(acc.v, vpaddq_s16(low, high))};
}
#endif
#endif

inline void store_i8(std::int8_t* p, Vec a) {
  const int16x4_t half = vqmovn_s32(vcvtnq_s32_f32(a.v));
  const int8x8_t bytes = vqmovn_s16(vcombine_s16(half, half));
  const std::int32_t four = vget_lane_s32(vreinterpret_s32_s8(bytes), 0);
  memcpy(p, &four, sizeof four);
}
/// To nearest even; NaN stays NaN. The instruction for it depends on the mode of the floating-point unit.
inline void store_bf16(std::uint16_t* p, Vec a) {
  const uint32x4_t bits = vreinterpretq_u32_f32(a.v);
  const uint32x4_t odd = vandq_u32(vshrq_n_u32(bits, 16), vdupq_n_u32(1));
  const uint32x4_t rounded = vaddq_u32(bits, vaddq_u32(odd, vdupq_n_u32(0x7fff)));
  const uint32x4_t quiet = vorrq_u32(bits, vdupq_n_u32(0x400000));
  vst1_u16(p, vshrn_n_u32(vbslq_u32(vceqq_f32(a.v, a.v), rounded, quiet), 16));
}
/// To nearest even as long as that is the floating-point unit's mode, which it is unless a host changes it.
inline void store_f16(std::uint16_t* p, Vec a) { vst1_u16(p, vreinterpret_u16_f16(vcvt_f16_f32(a.v))); }

#ifdef Q3G_NEON_I8MM
struct Lines {
  bfloat16x8_t w;
  static Lines load(const std::uint16_t* p) { return {vreinterpretq_bf16_u16(vld1q_u16(p))}; }
};
struct Pair {
  bfloat16x4_t x;
  static Pair load(const std::uint16_t* p) { return {vreinterpret_bf16_u64(load_four_bytes(p))}; }
};
inline Vec dot_pairs(Vec acc, Lines w, Pair x) { return {vbfdotq_lane_f32(acc.v, w.w, x.x, 0)}; }
#else
/// Pairs of bfloat16 as two vectors of floats.
struct Floats {
  float32x4_t first, second;
};
inline Floats split_pairs(uint32x4_t pairs) {
  return {vreinterpretq_f32_u32(vshlq_n_u32(pairs, 16)),
          vreinterpretq_f32_u32(vandq_u32(pairs, vdupq_n_u32(0xffff0000U)))};
}
struct Lines {
  Floats w;
  static Lines load(const std::uint16_t* p) { return {split_pairs(vreinterpretq_u32_u16(vld1q_u16(p)))}; }
};
struct Pair {
  Floats x;
  static Pair load(const std::uint16_t* p) {
    return {split_pairs(vdupq_lane_u32(vreinterpret_u32_u64(load_four_bytes(p)), 0))};
  }
};
inline Vec dot_pairs(Vec acc, Lines w, Pair x) {
  return {vfmaq_f32(vfmaq_f32(acc.v, w.w.first, x.x.first), w.w.second, x.x.second)};
}
#endif

}  // namespace

#endif  // QWEN3GUARD_SRC_KERNELS_ARM_IDOT_NEON_HPP
