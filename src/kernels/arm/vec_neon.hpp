// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_ARM_VEC_NEON_HPP
#define QWEN3GUARD_SRC_KERNELS_ARM_VEC_NEON_HPP

#include <arm_neon.h>

#include <cstddef>
#include <cstdint>

// Four floats; Advanced SIMD as every 64-bit Arm has it. See generic/kernels.inl for what a Vec must offer.
namespace {

struct Vec {
  static constexpr std::size_t kLanes = 4;
  /// Dot products take two vectors at a time; the accumulators fit the registers.
  static constexpr bool kPairs = true;
  float32x4_t v;

  static Vec zero() { return broadcast(0.0F); }
  static Vec broadcast(float f) { return {vdupq_n_f32(f)}; }
  static Vec load(const float* p) { return {vld1q_f32(p)}; }
  static Vec load_bf16(const std::uint16_t* p) {
    return {vreinterpretq_f32_u32(vshll_n_u16(vld1_u16(p), 16))};
  }
  static Vec load_f16(const std::uint16_t* p) { return {vcvt_f32_f16(vreinterpret_f16_u16(vld1_u16(p)))}; }
  void store(float* p) const { vst1q_f32(p, v); }
  float sum() const { return vaddvq_f32(v); }
  float max_lane() const { return vmaxnmvq_f32(v); }
};

inline Vec add(Vec a, Vec b) { return {vaddq_f32(a.v, b.v)}; }
inline Vec sub(Vec a, Vec b) { return {vsubq_f32(a.v, b.v)}; }
inline Vec mul(Vec a, Vec b) { return {vmulq_f32(a.v, b.v)}; }
inline Vec div(Vec a, Vec b) { return {vdivq_f32(a.v, b.v)}; }
/// Of a NaN and a number these two take the number, so a clamped value is one that an integer can hold.
inline Vec max(Vec a, Vec b) { return {vmaxnmq_f32(a.v, b.v)}; }
inline Vec min(Vec a, Vec b) { return {vminnmq_f32(a.v, b.v)}; }
/// a * b + c.
inline Vec fma(Vec a, Vec b, Vec c) { return {vfmaq_f32(c.v, a.v, b.v)}; }
/// Nearest integer.
inline Vec round(Vec a) { return {vrndnq_f32(a.v)}; }
/// 2^n for integral n in [-126, 127].
inline Vec pow2(Vec n) {
  const int32x4_t exponent = vaddq_s32(vcvtq_s32_f32(n.v), vdupq_n_s32(127));
  return {vreinterpretq_f32_s32(vshlq_n_s32(exponent, 23))};
}

}  // namespace

#endif  // QWEN3GUARD_SRC_KERNELS_ARM_VEC_NEON_HPP
