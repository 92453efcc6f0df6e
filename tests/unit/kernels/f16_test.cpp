// SPDX-License-Identifier: Apache-2.0
// Products with packed float16 weights and float32 activations, on every instruction set of this machine.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string_view>
#include <vector>

#include "kernels/isa.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"
#include "util/aligned_buffer.hpp"
#include "util/half.hpp"

using namespace qwen3guard::detail;
using q3g_test::random_uniform;

namespace {

constexpr std::uint64_t kF16Seed = 11;
constexpr float kF16Guard = 77.0F;

std::vector<const KernelTable*> f16_tables() { return tables_for(features_of(read_cpuid())); }

/// A product of random operands: weights of every magnitude that float16 has, and activations far beyond it.
struct F16Case {
  std::size_t m, n, k, ldx, ldy;
  AlignedBuffer<std::uint16_t> w;
  std::vector<float> x, y;

  F16Case(std::size_t rows_of_x, std::size_t outputs, std::size_t cols, std::mt19937_64& random)
      : m(rows_of_x), n(outputs), k(cols), ldx(cols + 5), ldy(outputs + 3) {
    w = AlignedBuffer<std::uint16_t>((n + kPanelRows - 1) / kPanelRows * kPanelRows * k);
    const auto scale = [&] { return std::ldexp(1.0F, static_cast<int>(random() % 30) - 20); };
    for (std::size_t i = 0; i < w.size(); ++i) w[i] = f32_to_f16(random_uniform(random, scale()));
    x.resize(m * ldx);
    for (float& v : x) v = random_uniform(random, scale() * 1e6F);
    y.assign(m * ldy, kF16Guard);
  }

  PackedArgs args(bool accumulate = false) {
    return {.w = w.data(),
            .panel_bytes = kPanelRows * k * 2,
            .x = x.data(),
            .ldx = ldx,
            .y = y.data(),
            .ldy = ldy,
            .m = m,
            .n = n,
            .k = k,
            .accumulate = accumulate};
  }

  /// Weight [row][col], as the layout's documentation says.
  double weight(std::size_t row, std::size_t col) const {
    const std::uint16_t* line = w.data() + row / kPanelRows * kPanelRows * k + col / 2 * 32;
    return static_cast<double>(f16_to_f32(line[16 * (col % 2) + row % kPanelRows]));
  }
};

}  // namespace

TEST_CASE("float16 products equal sums in double", "[kernels]") {
  INFO("seed " << kF16Seed);
  std::mt19937_64 random(kF16Seed);
  for (const std::size_t m : {1UL, 2UL, 3UL, 5UL, 8UL, 12UL, 16UL, 21UL, 40UL}) {
    for (const std::size_t n : {1UL, 16UL, 19UL, 64UL, 83UL, 130UL}) {
      for (const std::size_t k : {32UL, 64UL, 192UL, 1024UL}) {
        F16Case c(m, n, k, random);
        std::vector<double> sums(m * n), magnitudes(m * n);
        for (std::size_t j = 0; j < n; ++j) {
          for (std::size_t l = 0; l < k; ++l) {
            const double weight = c.weight(j, l);
            for (std::size_t i = 0; i < m; ++i) {
              const double product = weight * static_cast<double>(c.x[i * c.ldx + l]);
              sums[i * n + j] += product;
              magnitudes[i * n + j] += std::fabs(product);
            }
          }
        }
        std::vector<float> best;
        for (const KernelTable* table : f16_tables()) {
          std::fill(c.y.begin(), c.y.end(), kF16Guard);
          table->gemm_f16(c.args());
          double worst = 0;
          bool guards_intact = true;
          for (std::size_t i = 0; i < m; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
              const double error = std::fabs(static_cast<double>(c.y[i * c.ldy + j]) - sums[i * n + j]);
              worst = std::max(worst, error / (magnitudes[i * n + j] + 1e-30));
            }
            for (std::size_t j = n; j < c.ldy; ++j) guards_intact &= c.y[i * c.ldy + j] == kF16Guard;
          }
          INFO(table->name << " [" << m << ", " << n << ", " << k << "] error " << worst);
          // Where there is no fused multiplication each product rounds too.
          CHECK(worst <= static_cast<double>(k + 1) * 0x1p-24);
          CHECK(guards_intact);
          if (table->name == std::string_view("scalar")) continue;
          // All sets with fused multiply-add round alike.
          if (best.empty()) best = c.y;
          CHECK(best == c.y);
        }
      }
    }
  }
}

TEST_CASE("a row of a float16 product does not depend on the rows beside it", "[kernels]") {
  INFO("seed " << kF16Seed);
  std::mt19937_64 random(kF16Seed);
  for (const std::size_t m : {2UL, 7UL, 37UL}) {
    F16Case whole(m, 147, 512, random);
    for (const KernelTable* table : f16_tables()) {
      table->gemm_f16(whole.args());
      const std::vector<float> all = whole.y;
      std::fill(whole.y.begin(), whole.y.end(), kF16Guard);
      for (std::size_t i = 0; i < m; ++i) {
        // One panel at a time: neither on the columns.
        for (std::size_t panel = 0; panel * kPanelRows < whole.n; ++panel) {
          PackedArgs one = whole.args();
          one.w = whole.w.data() + panel * kPanelRows * whole.k;
          one.x = whole.x.data() + i * whole.ldx;
          one.y += i * whole.ldy + panel * kPanelRows;
          one.n = std::min(kPanelRows, whole.n - panel * kPanelRows);
          one.m = 1;
          table->gemm_f16(one);
        }
      }
      INFO(table->name << " m " << m);
      CHECK(whole.y == all);
    }
  }
}

TEST_CASE("a float16 product is added to what is there on request", "[kernels]") {
  for (const KernelTable* table : f16_tables()) {
    std::mt19937_64 random(kF16Seed);
    for (const std::size_t m : {1UL, 16UL, 33UL}) {
      F16Case c(m, 35, 128, random);
      table->gemm_f16(c.args());
      std::vector<float> twice = c.y;
      for (std::size_t i = 0; i < m * c.ldy; ++i)
        if (i % c.ldy < c.n) twice[i] *= 2;
      table->gemm_f16(c.args(/*accumulate=*/true));
      INFO(table->name << " m " << m);
      CHECK(c.y == twice);
    }
  }
}

TEST_CASE("an infinite float16 weight does not go unnoticed", "[kernels]") {
  for (const KernelTable* table : f16_tables()) {
    std::mt19937_64 random(kF16Seed);
    for (const std::size_t m : {1UL, 8UL}) {
      F16Case c(m, 32, 64, random);
      c.w[16] = 0x7c00;  // row 0, column 1
      table->gemm_f16(c.args());
      INFO(table->name << " m " << m);
      for (std::size_t i = 0; i < m; ++i) {
        CHECK_FALSE(std::isfinite(c.y[i * c.ldy]));
        CHECK(std::isfinite(c.y[i * c.ldy + 1]));
      }
    }
  }
}

TEST_CASE("floats are rounded to float16 to nearest even", "[kernels]") {
  INFO("seed " << kF16Seed);
  std::mt19937_64 random(kF16Seed);
  std::vector<float> x;
  for (int i = 0; i < 4099; ++i)
    x.push_back(random_uniform(random, std::ldexp(1.0F, static_cast<int>(random() % 48) - 30)));
  for (std::uint32_t h = 0; h < 0x7c00; h += 7) {
    // Ties, and the numbers on both sides of them.
    const float low = f16_to_f32(static_cast<std::uint16_t>(h));
    const float high = h == 0x7bff ? 65536.0F : f16_to_f32(static_cast<std::uint16_t>(h + 1));
    const float tie = low + (high - low) / 2;
    x.insert(x.end(), {tie, -tie, std::nextafter(tie, 0.0F), std::nextafter(tie, 1e9F)});
  }
  x.insert(x.end(),
           {0.0F, -0.0F, 65504.0F, 65519.0F, 65520.0F, -1e30F, std::numeric_limits<float>::infinity()});
  for (const KernelTable* table : f16_tables()) {
    for (const std::size_t n : {std::size_t{0}, std::size_t{1}, std::size_t{15}, std::size_t{33}, x.size()}) {
      std::vector<std::uint16_t> y(n + 1, 1234), expected(n + 1, 1234);
      for (std::size_t i = 0; i < n; ++i) expected[i] = f32_to_f16(x[i]);
      table->round_f16(y.data(), x.data(), n);
      INFO(table->name << " n " << n);
      CHECK(y == expected);
    }
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::uint16_t y = 0;
    table->round_f16(&y, &nan, 1);
    CHECK(std::isnan(f16_to_f32(y)));
  }
}
