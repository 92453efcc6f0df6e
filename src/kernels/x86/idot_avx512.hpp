// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_KERNELS_X86_IDOT_AVX512_HPP
#define QWEN3GUARD_SRC_KERNELS_X86_IDOT_AVX512_HPP

#include <string.h>

#include "kernels/generic/tile_shape.hpp"
#include "kernels/x86/vec_avx512.hpp"

// What generic/packed.inl needs, with AVX-512; with Q3G_AVX512_VNNI (VNNI and BF16) the products are one
// instruction each.
namespace {

inline constexpr TileShape kTile{.rows = 6, .panels = 2, .row_panels = 4, .pair_panels = 4};
inline constexpr TileShape kBf16Tile = kTile;
inline constexpr TileShape kF16Tile{.rows = 8, .panels = 2, .row_panels = 4, .pair_panels = 4};
inline constexpr bool kSignedBytes = false;

struct IVec {
  __m512i v;
  static IVec broadcast(std::int32_t n) { return {_mm512_set1_epi32(n)}; }
};
inline Vec to_float(IVec a) { return {_mm512_cvtepi32_ps(a.v)}; }

struct Bytes {
  __m512i v;
  static Bytes load(const std::uint8_t* p) { return {_mm512_loadu_si512(p)}; }
};
inline Bytes low_nibbles(Bytes a) { return {_mm512_and_si512(a.v, _mm512_set1_epi8(15))}; }
inline Bytes high_nibbles(Bytes a) {
  return {_mm512_and_si512(_mm512_srli_epi16(a.v, 4), _mm512_set1_epi8(15))};
}
template <class T>
inline __m512i broadcast_four_bytes(const T* p) {
  std::int32_t four = 0;
  memcpy(&four, p, sizeof four);
  return _mm512_set1_epi32(four);
}

#ifdef Q3G_AVX512_VNNI
using Weights = Bytes;
inline Weights prepare(Bytes a) { return a; }
struct Quad {
  __m512i v;
  static Quad load(const std::int8_t* p) { return {broadcast_four_bytes(p)}; }
};
inline IVec dot(IVec acc, Weights w, Quad x) { return {_mm512_dpbusd_epi32(acc.v, w.v, x.v)}; }
#else
/// Even and odd bytes as 16-bit integers: their products in pairs are exact, where maddubs would saturate.
struct Weights {
  __m512i even, odd;
};
inline Weights prepare(Bytes a) {
  return {_mm512_and_si512(a.v, _mm512_set1_epi16(0xff)), _mm512_srli_epi16(a.v, 8)};
}
struct Quad {
  __m512i even, odd;
  static Quad load(const std::int8_t* p) {
    const __m512i quad = broadcast_four_bytes(p);
    return {_mm512_srai_epi16(_mm512_slli_epi16(quad, 8), 8), _mm512_srai_epi16(quad, 8)};
  }
};
inline IVec dot(IVec acc, Weights w, Quad x) {
  const __m512i sum = _mm512_add_epi32(_mm512_madd_epi16(w.even, x.even), _mm512_madd_epi16(w.odd, x.odd));
  return {_mm512_add_epi32(acc.v, sum)};
}
#endif

inline void store_i8(std::int8_t* p, Vec a) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_cvtsepi32_epi8(_mm512_cvtps_epi32(a.v)));
}
/// To nearest even; NaN stays NaN.
inline void store_bf16(std::uint16_t* p, Vec a) {
  const __m512i bits = _mm512_castps_si512(a.v);
  const __m512i odd = _mm512_and_si512(_mm512_srli_epi32(bits, 16), _mm512_set1_epi32(1));
  const __m512i rounded = _mm512_add_epi32(bits, _mm512_add_epi32(odd, _mm512_set1_epi32(0x7fff)));
  const __m512i quiet = _mm512_or_si512(bits, _mm512_set1_epi32(0x400000));
  const __mmask16 is_nan = _mm512_cmp_ps_mask(a.v, a.v, _CMP_UNORD_Q);
  const __m512i top = _mm512_srli_epi32(_mm512_mask_blend_epi32(is_nan, rounded, quiet), 16);
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtepi32_epi16(top));
}
inline void store_f16(std::uint16_t* p, Vec a) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_cvtps_ph(a.v, _MM_FROUND_TO_NEAREST_INT));
}

#ifdef Q3G_AVX512_VNNI
struct Lines {
  __m512i w;
  static Lines load(const std::uint16_t* p) { return {_mm512_loadu_si512(p)}; }
};
struct Pair {
  __m512i x;
  static Pair load(const std::uint16_t* p) { return {broadcast_four_bytes(p)}; }
};
inline Vec dot_pairs(Vec acc, Lines w, Pair x) {
  // The type of the intrinsic's operands is made by a cast of registers only.
  return {_mm512_dpbf16_ps(acc.v, (__m512bh)w.w, (__m512bh)x.x)};  // NOLINT(google-readability-casting)
}
#else
/// Pairs of bfloat16 as two vectors of floats.
struct Floats {
  __m512 first, second;
};
inline Floats split_pairs(__m512i pairs) {
  return {_mm512_castsi512_ps(_mm512_slli_epi32(pairs, 16)),
          _mm512_castsi512_ps(_mm512_and_si512(pairs, _mm512_set1_epi32(static_cast<int>(0xffff0000U))))};
}
struct Lines {
  Floats w;
  static Lines load(const std::uint16_t* p) { return {split_pairs(_mm512_loadu_si512(p))}; }
};
struct Pair {
  Floats x;
  static Pair load(const std::uint16_t* p) { return {split_pairs(broadcast_four_bytes(p))}; }
};
inline Vec dot_pairs(Vec acc, Lines w, Pair x) {
  return {_mm512_fmadd_ps(w.w.second, x.x.second, _mm512_fmadd_ps(w.w.first, x.x.first, acc.v))};
}
#endif

}  // namespace

#endif  // QWEN3GUARD_SRC_KERNELS_X86_IDOT_AVX512_HPP
