// SPDX-License-Identifier: Apache-2.0
#include "tensor/quantize_group.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>

#include "util/half.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kMaxGroupQ4 = 32;

/// To the nearest integer, ties to even, for |x| < 2^22. Adding 1.5 * 2^23 leaves no bits for a fraction; the
/// compiler turns it into vector instructions, as it does not with a call.
float round_near(float x) noexcept { return (x + 12582912.0F) - 12582912.0F; }

/// The smallest bfloat16 that is not below x. x >= 0 and far from the largest float.
std::uint16_t bf16_round_up(float x) noexcept {
  return static_cast<std::uint16_t>((std::bit_cast<std::uint32_t>(x) + 0xffffU) >> 16);
}

/// The weight of largest magnitude, with its sign.
float signed_max(const float* w, std::size_t n) noexcept {
  float best = 0;
  for (std::size_t i = 0; i < n; ++i) best = std::abs(w[i]) > std::abs(best) ? w[i] : best;
  return best;
}

/// Eight sums side by side: a single one would keep the compiler from using vector registers.
float sum(const std::array<float, kMaxGroupQ4>& terms) noexcept {
  std::array<float, 8> lanes{};
  for (std::size_t i = 0; i < terms.size(); i += lanes.size()) {
    for (std::size_t j = 0; j < lanes.size(); ++j) lanes[j] += terms[i + j];
  }
  return ((lanes[0] + lanes[4]) + (lanes[2] + lanes[6])) + ((lanes[1] + lanes[5]) + (lanes[3] + lanes[7]));
}

/// One int4 group while its scale is looked for. The weights are divided by the largest magnitude first, so
/// that no square under- or overflows.
struct GroupQ4 {
  float max = 0;  ///< largest magnitude, > 0
  std::array<float, kMaxGroupQ4> x{}, importance{}, q{};
  // The best so far.
  float best_error = 0;
  std::uint16_t best_scale = 0;
  std::array<float, kMaxGroupQ4> best_q{};

  /// Quantises with this scale and keeps it when its error is the smallest yet.
  void consider(std::uint16_t scale) noexcept {
    const float s = bf16_to_f32(scale) / max;
    if (s == 0) return;  // too small for bfloat16
    const float inverse = 1.0F / s;
    std::array<float, kMaxGroupQ4> terms;
    for (std::size_t i = 0; i < kMaxGroupQ4; ++i) {
      // Clamped before it is rounded: a tiny scale makes the quotient large.
      const float level = round_near(std::min(std::max(x[i] * inverse, -8.0F), 7.0F));
      const float difference = x[i] - level * s;
      q[i] = level;
      terms[i] = importance[i] * difference * difference;
    }
    const float error = sum(terms);
    if (best_scale != 0 && error >= best_error) return;
    best_error = error;
    best_scale = scale;
    best_q = q;
  }

  /// The scale that fits the levels of the last candidate best: sum(u x q) / sum(u q^2).
  [[nodiscard]] float least_squares() const noexcept {
    std::array<float, kMaxGroupQ4> xq, qq;
    for (std::size_t i = 0; i < kMaxGroupQ4; ++i) {
      xq[i] = importance[i] * x[i] * q[i];
      qq[i] = importance[i] * q[i] * q[i];
    }
    const float norm = sum(qq);
    return norm > 0 ? sum(xq) / norm * max : 0.0F;
  }
};

}  // namespace

std::uint16_t quantize_group_q8(std::int8_t* q, const float* w, std::size_t n) noexcept {
  const float max = std::abs(signed_max(w, n));
  if (max == 0) {
    std::fill_n(q, n, std::int8_t{0});
    return 0;
  }
  const std::uint16_t scale = bf16_round_up(std::max(max / 127.0F, 0x1p-133F));  // the smallest bfloat16
  const float s = bf16_to_f32(scale);
  for (std::size_t i = 0; i < n; ++i)
    q[i] = static_cast<std::int8_t>(round_near(std::min(std::max(w[i] / s, -127.0F), 127.0F)));
  return scale;
}

std::uint16_t quantize_group_q4(std::int8_t* q, const float* w, const float* importance,
                                std::size_t n) noexcept {
  std::fill_n(q, n, std::int8_t{0});
  const float top = signed_max(w, n);
  if (top == 0) return 0;
  GroupQ4 group;
  group.max = std::abs(top);
  for (std::size_t i = 0; i < n; ++i) {
    group.x[i] = w[i] / group.max;
    group.importance[i] = importance == nullptr ? 1.0F : importance[i];
  }
  group.consider(f32_to_bf16(group.max / 7.0F));
  // The levels have one more step below zero than above, so the sign that maps the largest weight to a
  // negative level is the better one most of the time; the other is tried too. A level above 8 clips the
  // largest weight for the sake of the many small ones.
  for (const float level :
       {-8.0F, -7.5F, -7.0F, -6.5F, -6.0F, -8.6F, -9.4F, -10.4F, 7.5F, 7.0F, 6.5F, 8.2F}) {
    group.consider(f32_to_bf16(top / level));
    group.consider(f32_to_bf16(group.least_squares()));
  }
  // A scale too small for bfloat16: the group is as good as zero.
  for (std::size_t i = 0; i < n; ++i) q[i] = static_cast<std::int8_t>(group.best_q[i]);
  return group.best_scale;
}

}  // namespace qwen3guard::detail
