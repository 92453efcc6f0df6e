// SPDX-License-Identifier: Apache-2.0
// Every kernel but the matrix products, once, over a type Vec of kLanes floats (load, load_bf16, load_f16,
// store, sum, max_lane; add, sub, mul, div, max, min, fma, round, pow2). Included by one file per instruction
// set. Everything is in an anonymous namespace and calls no inline library function, so that no code with
// instruction-set flags can be merged into other files.
#include <math.h>
#include <string.h>

namespace {

using qwen3guard::detail::DotArgs;

constexpr std::size_t kLanes = Vec::kLanes;

/// One stored dtype: how a whole vector, and the last n < kLanes elements (padded by zeros), are widened.
struct F32 {
  using Stored = float;
  static Vec load(const float* p) { return Vec::load(p); }
};
struct Bf16 {
  using Stored = std::uint16_t;
  static Vec load(const std::uint16_t* p) { return Vec::load_bf16(p); }
};
struct F16 {
  using Stored = std::uint16_t;
  static Vec load(const std::uint16_t* p) { return Vec::load_f16(p); }
};

template <class Type>
Vec load_tail(const typename Type::Stored* p, std::size_t n) {
  typename Type::Stored padded[kLanes] = {};
  memcpy(padded, p, n * sizeof(typename Type::Stored));
  return Type::load(padded);
}

void store_tail(Vec a, float* p, std::size_t n) {
  float padded[kLanes];
  a.store(padded);
  memcpy(p, padded, n * sizeof(float));
}

/// kVectors (1 or 2) vectors with kRows rows: kRows * kVectors independent accumulators hide the latency of
/// fma, and each widened weight is used kVectors times.
template <class Type, std::size_t kRows, std::size_t kVectors>
void dot_block(const typename Type::Stored* w, const DotArgs& a, std::size_t row, std::size_t vector) {
  Vec acc[kVectors][kRows];
  for (std::size_t v = 0; v < kVectors; ++v)
    for (std::size_t r = 0; r < kRows; ++r) acc[v][r] = Vec::zero();
  const float* x = a.x + vector * a.ldx;
  const typename Type::Stored* rows = w + row * a.k;
  std::size_t i = 0;
  for (; i + kLanes <= a.k; i += kLanes) {
    Vec xs[kVectors];
    for (std::size_t v = 0; v < kVectors; ++v) xs[v] = Vec::load(x + v * a.ldx + i);
    for (std::size_t r = 0; r < kRows; ++r) {
      const Vec ws = Type::load(rows + r * a.k + i);
      for (std::size_t v = 0; v < kVectors; ++v) acc[v][r] = fma(ws, xs[v], acc[v][r]);
    }
  }
  if (i < a.k) {
    for (std::size_t r = 0; r < kRows; ++r) {
      const Vec ws = load_tail<Type>(rows + r * a.k + i, a.k - i);
      for (std::size_t v = 0; v < kVectors; ++v) {
        acc[v][r] = fma(ws, load_tail<F32>(x + v * a.ldx + i, a.k - i), acc[v][r]);
      }
    }
  }
  for (std::size_t v = 0; v < kVectors; ++v) {
    for (std::size_t r = 0; r < kRows; ++r) a.y[(vector + v) * a.ldy + row + r] = acc[v][r].sum();
  }
}

template <class Type>
void dot_rows(const DotArgs& a) noexcept {
  constexpr std::size_t kRows = 4;
  const auto* w = static_cast<const typename Type::Stored*>(a.w);
  std::size_t row = 0;
  for (; row + kRows <= a.n; row += kRows) {
    std::size_t vector = 0;
    if constexpr (Vec::kPairs) {
      for (; vector + 2 <= a.m; vector += 2) dot_block<Type, kRows, 2>(w, a, row, vector);
    }
    for (; vector < a.m; ++vector) dot_block<Type, kRows, 1>(w, a, row, vector);
  }
  for (; row < a.n; ++row) {
    for (std::size_t vector = 0; vector < a.m; ++vector) dot_block<Type, 1, 1>(w, a, row, vector);
  }
}

/// out(i-th vector) = f(i-th vectors of the inputs), tails included. f: (offset, load function) -> Vec.
template <class F>
void map(float* y, std::size_t n, const F& f) {
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes)
    f(i, [](const auto* p, auto type) { return decltype(type)::load(p); }).store(y + i);
  if (i < n) {
    const std::size_t rest = n - i;
    store_tail(f(i, [rest](const auto* p, auto type) { return load_tail<decltype(type)>(p, rest); }), y + i,
               rest);
  }
}

template <class Type>
void widen(float* y, const std::uint16_t* x, std::size_t n) noexcept {
  map(y, n, [&](std::size_t i, const auto& load) { return load(x + i, Type{}); });
}

void add_to(float* y, const float* x, std::size_t n) noexcept {
  map(y, n, [&](std::size_t i, const auto& load) { return add(load(y + i, F32{}), load(x + i, F32{})); });
}

void scale_by(float* x, std::size_t n, float factor) noexcept {
  const Vec f = Vec::broadcast(factor);
  map(x, n, [&](std::size_t i, const auto& load) { return mul(load(x + i, F32{}), f); });
}

void rms_norm(float* y, const float* x, const float* weight, std::size_t n, float eps) noexcept {
  Vec acc[4] = {Vec::zero(), Vec::zero(), Vec::zero(), Vec::zero()};
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    for (std::size_t j = 0; j < 4; ++j) {
      const Vec v = Vec::load(x + i + j * kLanes);
      acc[j] = fma(v, v, acc[j]);
    }
  }
  for (; i < n; i += kLanes) {
    const Vec v = i + kLanes <= n ? Vec::load(x + i) : load_tail<F32>(x + i, n - i);
    acc[0] = fma(v, v, acc[0]);
  }
  const float square_sum = add(add(acc[0], acc[1]), add(acc[2], acc[3])).sum();
  const Vec inverse = Vec::broadcast(1.0F / sqrtf(square_sum / static_cast<float>(n) + eps));
  map(y, n, [&](std::size_t j, const auto& load) {
    return mul(load(weight + j, F32{}), mul(load(x + j, F32{}), inverse));
  });
}

/// exp(x), about 1 ulp, for x <= 88; below -87 it goes to exp(-87) = 1.6e-38, which no sum notices. NaN stays
/// NaN on the lanes' own terms only, so callers never rely on it. x = n ln 2 + r with |r| <= ln(2) / 2, ln 2
/// in two parts so that n ln 2 is exact (Cody and Waite), and the Taylor polynomial of degree 7 (its
/// remainder is below 6e-9).
Vec exp_of(Vec x) {
  x = max(min(x, Vec::broadcast(88.0F)), Vec::broadcast(-87.0F));
  const Vec n = round(mul(x, Vec::broadcast(1.44269504F)));
  Vec r = fma(n, Vec::broadcast(-0.693359375F), x);
  r = fma(n, Vec::broadcast(2.12194440e-4F), r);
  Vec p = Vec::broadcast(1.0F / 5040.0F);
  p = fma(p, r, Vec::broadcast(1.0F / 720.0F));
  p = fma(p, r, Vec::broadcast(1.0F / 120.0F));
  p = fma(p, r, Vec::broadcast(1.0F / 24.0F));
  p = fma(p, r, Vec::broadcast(1.0F / 6.0F));
  p = fma(p, r, Vec::broadcast(0.5F));
  p = fma(p, r, Vec::broadcast(1.0F));
  p = fma(p, r, Vec::broadcast(1.0F));
  return mul(p, pow2(n));
}

void silu_mul(float* gate, const float* up, std::size_t n) noexcept {
  const Vec one = Vec::broadcast(1.0F);
  map(gate, n, [&](std::size_t i, const auto& load) {
    const Vec g = load(gate + i, F32{});
    return mul(div(g, add(one, exp_of(sub(Vec::zero(), g)))), load(up + i, F32{}));
  });
}

float max_of(const float* x, std::size_t n) noexcept {
  float best = -HUGE_VALF;
  std::size_t i = 0;
  if (n >= kLanes) {
    Vec acc = Vec::load(x);
    for (i = kLanes; i + kLanes <= n; i += kLanes) acc = max(acc, Vec::load(x + i));
    best = acc.max_lane();
  }
  for (; i < n; ++i) best = x[i] > best ? x[i] : best;
  return best;
}

float exp_sum(float* x, std::size_t n, float shift) noexcept {
  const Vec s = Vec::broadcast(shift);
  Vec acc = Vec::zero();
  std::size_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    const Vec e = exp_of(sub(Vec::load(x + i), s));
    e.store(x + i);
    acc = add(acc, e);
  }
  float total = acc.sum();
  if (i < n) {
    store_tail(exp_of(sub(load_tail<F32>(x + i, n - i), s)), x + i, n - i);
    for (; i < n; ++i) total += x[i];
  }
  return total;
}

void add_weighted_rows(float* y, const float* p, const float* v, std::size_t k, std::size_t n) noexcept {
  // Four columns of vectors stay in registers while the rows pass by.
  std::size_t i = 0;
  for (; i + 4 * kLanes <= n; i += 4 * kLanes) {
    Vec acc[4];
    for (std::size_t c = 0; c < 4; ++c) acc[c] = Vec::load(y + i + c * kLanes);
    for (std::size_t j = 0; j < k; ++j) {
      const Vec weight = Vec::broadcast(p[j]);
      for (std::size_t c = 0; c < 4; ++c) acc[c] = fma(weight, Vec::load(v + j * n + i + c * kLanes), acc[c]);
    }
    for (std::size_t c = 0; c < 4; ++c) acc[c].store(y + i + c * kLanes);
  }
  for (; i < n; i += kLanes) {
    const std::size_t rest = n - i < kLanes ? n - i : kLanes;
    Vec acc = load_tail<F32>(y + i, rest);
    for (std::size_t j = 0; j < k; ++j) {
      const Vec row = rest == kLanes ? Vec::load(v + j * n + i) : load_tail<F32>(v + j * n + i, rest);
      acc = fma(Vec::broadcast(p[j]), row, acc);
    }
    store_tail(acc, y + i, rest);
  }
}

}  // namespace
