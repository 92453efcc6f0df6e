// SPDX-License-Identifier: Apache-2.0
// Products with packed weights, on every instruction set of this machine: against sums in double over the
// very numbers that are stored, and bit by bit against the scalar kernels where the arithmetic is exact up to
// the order of groups.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <utility>
#include <vector>

#include "kernels/isa.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"
#include "tensor/packed_matrix.hpp"
#include "util/aligned_buffer.hpp"
#include "util/half.hpp"

using namespace qwen3guard::detail;
using q3g_test::random_normal;
using q3g_test::random_uniform;
using qwen3guard::PackedWeights;

namespace {

constexpr std::uint64_t kSeed = 7;
constexpr float kGuard = 77.0F;

std::vector<const KernelTable*> tables() { return tables_for(features_of(read_cpuid())); }

/// A product whose packed operands are filled with random numbers, padding included.
struct Case {
  PackedShape shape;
  std::size_t m;
  std::size_t ldx, ldy;
  AlignedBuffer<std::uint8_t> w;
  std::vector<std::uint16_t> w_scales, x_bf16;
  std::vector<std::int8_t> x_q8;
  std::vector<float> x_fp32, x_scales, y;
  std::vector<std::int32_t> x_starts;

  Case(PackedShape s, std::size_t rows_of_x, std::mt19937_64& random) : shape(s), m(rows_of_x) {
    ldx = shape.k() + 32;
    ldy = shape.rows + 3;
    w = AlignedBuffer<std::uint8_t>(shape.data_bytes());
    y.assign(m * ldy, kGuard);
    if (weight_type(shape.type).element) {
      for (std::size_t i = 0; i < w.size(); i += 2) {
        const float wide = random_uniform(random);
        const std::uint16_t value = shape.type == PackedWeights::bf16 ? f32_to_bf16(wide) : f32_to_f16(wide);
        std::memcpy(w.data() + i, &value, 2);
      }
      for (std::size_t i = 0; i < m * ldx; ++i) {
        x_fp32.push_back(random_uniform(random));
        x_bf16.push_back(f32_to_bf16(x_fp32.back()));
      }
      return;
    }
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = static_cast<std::uint8_t>(random());
    w_scales.resize(shape.n_scales());
    for (auto& scale : w_scales) scale = f32_to_bf16(0.01F + std::fabs(random_uniform(random)));
    x_q8.resize(m * ldx);
    for (auto& v : x_q8) v = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
    for (std::size_t r = 0; r < m; ++r) {
      for (std::size_t g = 0; g < shape.n_groups(); ++g) {
        std::int32_t sum = 0;
        for (std::size_t i = 0; i < shape.group_cols(); ++i)
          sum += x_q8[r * ldx + g * shape.group_cols() + i];
        x_starts.push_back(-sum * weight_type(shape.type).offset);
        x_scales.push_back(0.01F + std::fabs(random_uniform(random)));
      }
    }
  }

  /// Where row r of x begins, in the form that the type takes.
  const void* row_of_x(std::size_t r) const {
    switch (weight_type(shape.type).x) {
      case Arithmetic::fp32:
        return x_fp32.data() + r * ldx;
      case Arithmetic::bf16:
        return x_bf16.data() + r * ldx;
      case Arithmetic::int8:
        break;
    }
    return x_q8.data() + r * ldx;
  }

  PackedArgs args(bool accumulate = false) {
    return {.w = w.data(),
            .panel_bytes = shape.panel_bytes(),
            .w_scales = w_scales.data(),
            .x = row_of_x(0),
            .ldx = ldx,
            .x_scales = x_scales.data(),
            .x_starts = x_starts.data(),
            .y = y.data(),
            .ldy = ldy,
            .m = m,
            .n = shape.rows,
            .k = shape.k(),
            .group = shape.group_cols(),
            .accumulate = accumulate};
  }

  void run(const KernelTable& table, bool accumulate = false) {
    (table.*weight_type(shape.type).gemm)(args(accumulate));
  }

  /// Weight [row][col] as the layout's documentation says, without its scale.
  double weight(std::size_t row, std::size_t col) const {
    const std::uint8_t* panel = w.data() + row / kPanelRows * shape.panel_bytes();
    const std::size_t r = row % kPanelRows;
    switch (shape.type) {
      case PackedWeights::bf16: {
        std::uint16_t value = 0;
        std::memcpy(&value, panel + col / 2 * 64 + 4 * r + 2 * (col % 2), 2);
        return static_cast<double>(bf16_to_f32(value));
      }
      case PackedWeights::fp16: {
        std::uint16_t value = 0;
        std::memcpy(&value, panel + col / 2 * 64 + 32 * (col % 2) + 2 * r, 2);
        return static_cast<double>(f16_to_f32(value));
      }
      case PackedWeights::int8:
        return panel[col / 4 * 64 + 4 * r + col % 4] - 128.0;
      case PackedWeights::int4: {
        const std::uint8_t byte = panel[col / 8 * 64 + 4 * r + col % 4];
        return (col % 8 < 4 ? byte & 15 : byte >> 4) - 8.0;
      }
    }
    return 0;
  }

  /// Weight [row][col], and x [row][col], as the numbers that they stand for.
  double scaled_weight(std::size_t row, std::size_t col) const {
    if (weight_type(shape.type).element) return weight(row, col);
    const std::size_t group = row / kPanelRows * shape.n_groups() + col / shape.group_cols();
    return weight(row, col) *
           static_cast<double>(bf16_to_f32(w_scales[group * kPanelRows + row % kPanelRows]));
  }
  double scaled_x(std::size_t row, std::size_t col) const {
    const Arithmetic form = weight_type(shape.type).x;
    if (form == Arithmetic::fp32) return static_cast<double>(x_fp32[row * ldx + col]);
    if (form == Arithmetic::bf16) return static_cast<double>(bf16_to_f32(x_bf16[row * ldx + col]));
    const std::size_t group = row * shape.n_groups() + col / shape.group_cols();
    return x_q8[row * ldx + col] * static_cast<double>(x_scales[group]);
  }

  /// The exact products [m, shape.rows], and the sums of the magnitudes that their rounding errors scale
  /// with.
  std::vector<std::pair<double, double>> expected() const {
    const std::size_t k = shape.k();
    std::vector<double> ws(shape.rows * k), xs(m * k);
    for (std::size_t i = 0; i < ws.size(); ++i) ws[i] = scaled_weight(i / k, i % k);
    for (std::size_t i = 0; i < xs.size(); ++i) xs[i] = scaled_x(i / k, i % k);
    std::vector<std::pair<double, double>> sums(m * shape.rows);
    for (std::size_t i = 0; i < sums.size(); ++i) {
      const double* x = xs.data() + i / shape.rows * k;
      const double* w_row = ws.data() + i % shape.rows * k;
      for (std::size_t c = 0; c < k; ++c) {
        sums[i].first += w_row[c] * x[c];
        sums[i].second += std::fabs(w_row[c] * x[c]);
      }
    }
    return sums;
  }
};

std::vector<PackedShape> shapes() {
  std::vector<PackedShape> all;
  for (const std::size_t rows : {1UL, 16UL, 19UL, 64UL, 83UL}) {
    for (const std::size_t cols : {64UL, 192UL, 1000UL}) {
      all.push_back({PackedWeights::bf16, rows, cols, 0});
      all.push_back({PackedWeights::fp16, rows, cols, 0});
      for (const std::size_t group : {32UL, 64UL, 128UL, 0UL})
        all.push_back({PackedWeights::int8, rows, cols, group});
      for (const std::size_t group : {32UL, 64UL}) all.push_back({PackedWeights::int4, rows, cols, group});
    }
  }
  return all;
}

}  // namespace

TEST_CASE("packed products equal sums in double", "[kernels]") {
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (const PackedShape& shape : shapes()) {
    for (const std::size_t m : {1UL, 2UL, 5UL, 7UL, 8UL, 16UL, 21UL, 40UL}) {
      Case c(shape, m, random);
      const auto expected = c.expected();
      for (const KernelTable* table : tables()) {
        std::fill(c.y.begin(), c.y.end(), kGuard);
        c.run(*table);
        double worst = 0;
        bool guards_intact = true;
        for (std::size_t i = 0; i < m; ++i) {
          for (std::size_t j = 0; j < shape.rows; ++j) {
            const auto [sum, magnitude] = expected[i * shape.rows + j];
            worst = std::max(worst, std::fabs(static_cast<double>(c.y[i * c.ldy + j]) - sum) / magnitude);
          }
          for (std::size_t j = shape.rows; j < c.ldy; ++j) guards_intact &= c.y[i * c.ldy + j] == kGuard;
        }
        // Integers are exact: one product, one conversion and one addition round per group, of float32. The
        // sums of floats round once or twice per column.
        const double n_roundings = weight_type(shape.type).element
                                       ? 2.0 * static_cast<double>(shape.k())
                                       : 3.0 * static_cast<double>(shape.n_groups());
        INFO(table->name << " " << weight_type(shape.type).name << " group " << shape.group << " [" << m
                         << ", " << shape.rows << ", " << shape.cols << "] error " << worst);
        CHECK(worst <= n_roundings * 0x1p-24);
        CHECK(guards_intact);
      }
    }
  }
}

TEST_CASE("a row of a packed product does not depend on the rows beside it", "[kernels]") {
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (const PackedShape& shape :
       {PackedShape{PackedWeights::int8, 48, 512, 64}, PackedShape{PackedWeights::int8, 48, 512, 0},
        PackedShape{PackedWeights::int4, 48, 512, 32}, PackedShape{PackedWeights::bf16, 48, 512, 0},
        PackedShape{PackedWeights::fp16, 48, 512, 0}}) {
    Case whole(shape, 37, random);
    std::vector<float> best;
    for (const KernelTable* table : tables()) {
      if (table->name == std::string_view("scalar")) continue;
      // Tiles and vectors add up bfloat16 products in different orders.
      if (table->name == std::string_view("amx") && shape.type == PackedWeights::bf16) continue;
      whole.run(*table);
      const std::vector<float> all = whole.y;
      for (std::size_t i = 0; i < whole.m; ++i) {
        PackedArgs one = whole.args();
        one.y += i * whole.ldy;
        one.m = 1;
        one.x = whole.row_of_x(i);
        if (!whole.x_q8.empty()) {
          one.x_scales += i * shape.n_groups();
          one.x_starts += i * shape.n_groups();
        }
        (table->*weight_type(shape.type).gemm)(one);
      }
      INFO(table->name << " " << weight_type(shape.type).name);
      CHECK(whole.y == all);
      if (shape.type == PackedWeights::bf16) continue;
      // Integer sums are exact, and all sets round alike what comes after them.
      if (best.empty()) best = all;
      CHECK(best == all);
    }
  }
}

TEST_CASE("a bf16 product is added to what is there on request", "[kernels]") {
  for (const KernelTable* table : tables()) {
    std::mt19937_64 random(kSeed);
    for (const std::size_t m : {1UL, 16UL, 33UL}) {
      Case c({PackedWeights::bf16, 35, 128, 0}, m, random);
      c.run(*table);
      const std::vector<float> once = c.y;
      c.run(*table, /*accumulate=*/true);
      double worst = 0;
      for (std::size_t i = 0; i < m; ++i) {
        for (std::size_t j = 0; j < 35; ++j) {
          const std::size_t at = i * c.ldy + j;
          worst = std::max(worst, static_cast<double>(std::fabs(c.y[at] - 2 * once[at])));
        }
      }
      INFO(table->name << " m " << m);
      CHECK(worst == 0.0);
    }
  }
}

TEST_CASE("activations are quantised by group", "[kernels]") {
  INFO("seed " << kSeed);
  for (const KernelTable* table : tables()) {
    std::mt19937_64 random(kSeed);
    for (const std::size_t group : {32UL, 64UL, 96UL, 1024UL}) {
      const std::size_t n = 3 * group;
      std::vector<float> x(n);
      for (float& v : x) v = random_normal(random, 3.0F);
      std::fill_n(x.begin() + static_cast<std::ptrdiff_t>(group), group, 0.0F);
      std::vector<std::int8_t> q(n + 1, 99);
      std::vector<float> scales(3);
      std::vector<std::int32_t> starts(3);
      table->quantise_q8(q.data(), scales.data(), starts.data(), x.data(), n, group, 8);
      INFO(table->name << " group " << group);
      bool within = true;
      for (std::size_t g = 0; g < 3; ++g) {
        std::int32_t sum = 0;
        for (std::size_t i = g * group; i < (g + 1) * group; ++i) {
          sum += q[i];
          within &= std::fabs(static_cast<float>(q[i]) * scales[g] - x[i]) <= 0.5001F * scales[g];
        }
        CHECK(-8 * sum == starts[g]);
      }
      CHECK(within);
      CHECK(scales[1] == 0.0F);
      CHECK(q[n] == 99);
      for (const float bad :
           {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
        x[2 * group + 5] = bad;
        table->quantise_q8(q.data(), scales.data(), starts.data(), x.data(), n, group, 8);
        CHECK(std::isnan(scales[2]));
        CHECK(std::isfinite(scales[0]));
      }
    }
  }
}

TEST_CASE("floats are rounded to bfloat16 to nearest even", "[kernels]") {
  std::mt19937_64 random(kSeed);
  std::vector<float> x;
  for (int i = 0; i < 4099; ++i) {
    const auto bits = static_cast<std::uint32_t>(random());
    float value = 0;
    std::memcpy(&value, &bits, 4);
    if (std::isfinite(value)) x.push_back(value);
  }
  x.push_back(std::numeric_limits<float>::infinity());
  for (const KernelTable* table : tables()) {
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{33}, x.size()}) {
      std::vector<std::uint16_t> y(n + 1, 1234), expected(n + 1, 1234);
      for (std::size_t i = 0; i < n; ++i) expected[i] = f32_to_bf16(x[i]);
      table->round_bf16(y.data(), x.data(), n);
      INFO(table->name << " n " << n);
      CHECK(y == expected);
    }
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::uint16_t y = 0;
    table->round_bf16(&y, &nan, 1);
    CHECK(std::isnan(bf16_to_f32(y)));
  }
}

TEST_CASE("rotary embedding turns pairs", "[kernels]") {
  std::mt19937_64 random(kSeed);
  for (const KernelTable* table : tables()) {
    for (const std::size_t half : {1UL, 7UL, 8UL, 16UL, 21UL, 64UL}) {
      std::vector<float> x(2 * half + 1), angles(2 * half);
      for (float& v : x) v = random_uniform(random, 2.0F);
      for (float& v : angles) v = random_uniform(random, 2.0F);
      const std::vector<float> before = x;
      table->rotate(x.data(), angles.data(), half);
      double worst = 0;
      for (std::size_t i = 0; i < half; ++i) {
        const double a = before[i], b = before[half + i], c = angles[i], s = angles[half + i];
        worst =
            std::max({worst, std::fabs(x[i] - (a * c - b * s)), std::fabs(x[half + i] - (b * c + a * s))});
      }
      INFO(table->name << " half " << half);
      CHECK(worst <= 3 * 8.0 * 0x1p-24);  // three roundings of values below 8
      CHECK(x.back() == before.back());
    }
  }
}
