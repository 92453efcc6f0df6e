// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_X86_IDOT_AVX2_HPP
#define QWEN3GUARD_SRC_KERNELS_X86_IDOT_AVX2_HPP

#include <string.h>

#include "kernels/generic/tile_shape.hpp"
#include "kernels/x86/vec_avx2.hpp"

// What generic/packed.inl needs, with AVX2; with Q3G_AVX_VNNI the products of bytes are one instruction.
namespace {

inline constexpr TileShape kTile{.rows = 2, .panels = 1, .row_panels = 2, .pair_panels = 1};
/// 8 sums, the weights' halves as floats and two activations are 14 of the 16 registers.
inline constexpr TileShape kBf16Tile{.rows = 4, .panels = 1, .row_panels = 4, .pair_panels = 2};
/// 12 sums, two vectors of weights and an activation are 15 of the 16 registers.
inline constexpr TileShape kF16Tile{.rows = 6, .panels = 1, .row_panels = 4, .pair_panels = 2};
inline constexpr bool kSignedBytes = false;

struct IVec {
  __m256i v;
  static IVec broadcast(std::int32_t n) { return {_mm256_set1_epi32(n)}; }
};
inline Vec to_float(IVec a) { return {_mm256_cvtepi32_ps(a.v)}; }

struct Bytes {
  __m256i v;
  static Bytes load(const std::uint8_t* p) {
    return {_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p))};
  }
};
inline Bytes low_nibbles(Bytes a) { return {_mm256_and_si256(a.v, _mm256_set1_epi8(15))}; }
inline Bytes high_nibbles(Bytes a) {
  return {_mm256_and_si256(_mm256_srli_epi16(a.v, 4), _mm256_set1_epi8(15))};
}
inline std::int32_t load_quad(const std::int8_t* p) {
  std::int32_t quad = 0;
  memcpy(&quad, p, sizeof quad);
  return quad;
}

#ifdef Q3G_AVX_VNNI
using Weights = Bytes;
inline Weights prepare(Bytes a) { return a; }
struct Quad {
  __m256i v;
  static Quad load(const std::int8_t* p) { return {_mm256_set1_epi32(load_quad(p))}; }
};
inline IVec dot(IVec acc, Weights w, Quad x) { return {_mm256_dpbusd_avx_epi32(acc.v, w.v, x.v)}; }
#else
/// Even and odd bytes as 16-bit integers: their products in pairs are exact, where maddubs would saturate.
struct Weights {
  __m256i even, odd;
};
inline Weights prepare(Bytes a) {
  return {_mm256_and_si256(a.v, _mm256_set1_epi16(0xff)), _mm256_srli_epi16(a.v, 8)};
}
struct Quad {
  __m256i even, odd;
  static Quad load(const std::int8_t* p) {
    const __m256i quad = _mm256_set1_epi32(load_quad(p));
    return {_mm256_srai_epi16(_mm256_slli_epi16(quad, 8), 8), _mm256_srai_epi16(quad, 8)};
  }
};
inline IVec dot(IVec acc, Weights w, Quad x) {
  const __m256i sum = _mm256_add_epi32(_mm256_madd_epi16(w.even, x.even), _mm256_madd_epi16(w.odd, x.odd));
  return {_mm256_add_epi32(acc.v, sum)};
}
#endif

inline void store_i8(std::int8_t* p, Vec a) {
  const __m256i wide = _mm256_cvtps_epi32(a.v);
  const __m128i half = _mm_packs_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packs_epi16(half, half));
}
/// To nearest even; NaN stays NaN.
inline void store_bf16(std::uint16_t* p, Vec a) {
  const __m256i bits = _mm256_castps_si256(a.v);
  const __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
  const __m256i rounded = _mm256_add_epi32(bits, _mm256_add_epi32(odd, _mm256_set1_epi32(0x7fff)));
  const __m256i quiet = _mm256_or_si256(bits, _mm256_set1_epi32(0x400000));
  const __m256i is_nan = _mm256_castps_si256(_mm256_cmp_ps(a.v, a.v, _CMP_UNORD_Q));
  const __m256i top = _mm256_srli_epi32(_mm256_blendv_epi8(rounded, quiet, is_nan), 16);
  const __m128i out = _mm_packus_epi32(_mm256_castsi256_si128(top), _mm256_extracti128_si256(top, 1));
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), out);
}

inline void store_f16(std::uint16_t* p, Vec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}

/// Pairs of bfloat16 as two vectors of floats.
struct Floats {
  __m256 first, second;
};
inline Floats split_pairs(__m256i pairs) {
  return {_mm256_castsi256_ps(_mm256_slli_epi32(pairs, 16)),
          _mm256_castsi256_ps(_mm256_and_si256(pairs, _mm256_set1_epi32(static_cast<int>(0xffff0000U))))};
}
struct Lines {
  Floats w;
  static Lines load(const std::uint16_t* p) {
    return {split_pairs(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)))};
  }
};
struct Pair {
  Floats x;
  static Pair load(const std::uint16_t* p) {
    std::int32_t pair = 0;
    memcpy(&pair, p, sizeof pair);
    return {split_pairs(_mm256_set1_epi32(pair))};
  }
};
inline Vec dot_pairs(Vec acc, Lines w, Pair x) {
  return {_mm256_fmadd_ps(w.w.second, x.x.second, _mm256_fmadd_ps(w.w.first, x.x.first, acc.v))};
}

}  // namespace

#endif  // QWEN3GUARD_SRC_KERNELS_X86_IDOT_AVX2_HPP
