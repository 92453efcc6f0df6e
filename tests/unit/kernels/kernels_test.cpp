// SPDX-License-Identifier: Apache-2.0
// Every kernel of every instruction set against double arithmetic: lengths from nothing to some vectors and a
// tail, data that is aligned for its type only, and guard values around every output.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <initializer_list>
#include <limits>
#include <random>
#include <vector>

#include "kernels/isa.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"
#include "util/half.hpp"

using namespace qwen3guard::detail;

namespace {

constexpr std::uint64_t kSeed = 42;
constexpr float kGuard = 1234.5F;
using Sizes = std::initializer_list<std::size_t>;
constexpr double kEps = std::numeric_limits<float>::epsilon();

std::vector<const KernelTable*> tables() { return tables_for(features_of(read_cpuid())); }

/// 0 to more than two AVX-512 vectors one by one, then some around the unrolled loops' ends.
std::vector<std::size_t> lengths() {
  std::vector<std::size_t> all;
  for (std::size_t n = 0; n <= 35; ++n) all.push_back(n);
  for (const std::size_t n : Sizes{47, 48, 63, 64, 65, 79, 127, 128, 129, 200, 511}) all.push_back(n);
  return all;
}

class Random {
 public:
  float next(float scale = 1.0F) { return q3g_test::random_uniform(engine_, scale); }
  /// n values, one element off a vector's boundary.
  std::vector<float> vector(std::size_t n, float scale = 1.0F) {
    std::vector<float> values(n + 1);
    for (float& v : values) v = next(scale);
    return values;
  }

 private:
  std::mt19937_64 engine_{kSeed};
};

/// An output buffer whose surroundings must stay as they are.
struct Guarded {
  explicit Guarded(std::size_t n) : values(n + 2, kGuard) {}
  float* data() { return values.data() + 1; }
  bool intact() const { return values.front() == kGuard && values.back() == kGuard; }
  std::vector<float> values;
};

void check_dot(const KernelTable& table, std::size_t m, std::size_t n, std::size_t k, Random& random) {
  const auto x = random.vector(m * k), w = random.vector(n * k);
  std::vector<std::uint16_t> halves(n * k + 1), brains(n * k + 1);
  for (std::size_t i = 0; i < n * k; ++i) {
    halves[i + 1] = f32_to_f16(w[i + 1]);
    brains[i + 1] = f32_to_bf16(w[i + 1]);
  }
  for (int type = 0; type < 3; ++type) {
    Guarded y(m * n);
    DotArgs args{
        .w = w.data() + 1, .x = x.data() + 1, .ldx = k, .y = y.data(), .ldy = n, .m = m, .n = n, .k = k};
    if (type == 1) args.w = brains.data() + 1;
    if (type == 2) args.w = halves.data() + 1;
    (type == 0 ? table.dot_f32 : type == 1 ? table.dot_bf16 : table.dot_f16)(args);
    CHECK(y.intact());
    for (std::size_t i = 0; i < m; ++i) {
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0, magnitude = 0;
        for (std::size_t l = 0; l < k; ++l) {
          const std::size_t at = j * k + l + 1;
          const float wide = type == 0 ? w[at] : type == 1 ? bf16_to_f32(brains[at]) : f16_to_f32(halves[at]);
          const double product = static_cast<double>(wide) * static_cast<double>(x[i * k + l + 1]);
          sum += product;
          magnitude += std::abs(product);
        }
        // The textbook bound: k roundings at most on the way of each product.
        const double bound = static_cast<double>(k + 1) * kEps * magnitude + 1e-30;
        REQUIRE(std::abs(static_cast<double>(y.data()[i * n + j]) - sum) <= bound);
      }
    }
  }
}

}  // namespace

TEST_CASE("kernels: dot products", "[kernels]") {
  INFO("seed " << kSeed);
  for (const KernelTable* table : tables()) {
    INFO(table->name);
    Random random;
    for (const std::size_t k : lengths()) check_dot(*table, 3, 5, k, random);
    for (const std::size_t n : Sizes{0, 1, 2, 3, 4, 7, 8, 9})
      for (const std::size_t m : Sizes{0, 1, 2, 5}) check_dot(*table, m, n, 37, random);
  }
}

TEST_CASE("kernels: widening is exact for every 16-bit pattern", "[kernels]") {
  std::vector<std::uint16_t> all(0x10001);
  for (std::size_t i = 0; i < 0x10000; ++i) all[i + 1] = static_cast<std::uint16_t>(i);
  for (const KernelTable* table : tables()) {
    INFO(table->name);
    std::vector<float> b(0x10000), f(0x10000);
    table->widen_bf16(b.data(), all.data() + 1, b.size());
    table->widen_f16(f.data(), all.data() + 1, f.size());
    std::size_t wrong = 0;
    for (std::size_t i = 0; i < 0x10000; ++i) {
      const auto h = static_cast<std::uint16_t>(i);
      wrong += std::bit_cast<std::uint32_t>(b[i]) != std::bit_cast<std::uint32_t>(bf16_to_f32(h));
      wrong += std::bit_cast<std::uint32_t>(f[i]) != std::bit_cast<std::uint32_t>(f16_to_f32(h));
    }
    CHECK(wrong == 0);
    for (const std::size_t n : lengths()) {
      Guarded y(n);
      table->widen_f16(y.data(), all.data() + 1, n);
      CHECK(y.intact());
    }
  }
}

TEST_CASE("kernels: elementwise and rows", "[kernels]") {
  INFO("seed " << kSeed);
  for (const KernelTable* table : tables()) {
    Random random;
    for (const std::size_t n : lengths()) {
      INFO(table->name << ", length " << n);
      const auto x = random.vector(n, 3), w = random.vector(n);
      Guarded y(n), sum(n), scaled(n), gate(n);
      double squares = 0;
      for (std::size_t i = 0; i < n; ++i) {
        sum.data()[i] = w[i + 1];
        scaled.data()[i] = gate.data()[i] = x[i + 1];
        squares += static_cast<double>(x[i + 1]) * static_cast<double>(x[i + 1]);
      }
      table->rms_norm(y.data(), x.data() + 1, w.data() + 1, n, 1e-6F);
      table->add(sum.data(), x.data() + 1, n);
      table->scale(scaled.data(), n, 0.37F);
      table->silu_mul(gate.data(), w.data() + 1, n);
      CHECK((y.intact() && sum.intact() && scaled.intact() && gate.intact()));
      const double rms = std::sqrt(squares / static_cast<double>(n) + 1e-6);
      for (std::size_t i = 0; i < n; ++i) {
        const double xi = static_cast<double>(x[i + 1]), wi = static_cast<double>(w[i + 1]);
        const double norm = wi * xi / rms, silu = xi / (1 + std::exp(-xi)) * wi;
        REQUIRE(std::abs(static_cast<double>(y.data()[i]) - norm) <= 8 * kEps * std::abs(norm) + 1e-30);
        REQUIRE(sum.data()[i] == w[i + 1] + x[i + 1]);
        REQUIRE(scaled.data()[i] == x[i + 1] * 0.37F);
        REQUIRE(std::abs(static_cast<double>(gate.data()[i]) - silu) <= 8 * kEps * std::abs(silu) + 1e-30);
      }
    }
  }
}

TEST_CASE("kernels: softmax parts", "[kernels]") {
  INFO("seed " << kSeed);
  for (const KernelTable* table : tables()) {
    Random random;
    CHECK(table->max(nullptr, 0) == -std::numeric_limits<float>::infinity());
    for (const std::size_t n : lengths()) {
      if (n == 0) continue;
      INFO(table->name << ", length " << n);
      const auto x = random.vector(n, 20);
      const float peak = table->max(x.data() + 1, n);
      CHECK(peak == *std::max_element(x.begin() + 1, x.end()));
      Guarded e(n);
      std::copy(x.begin() + 1, x.end(), e.data());
      const float total = table->exp_sum(e.data(), n, peak);
      CHECK(e.intact());
      double expected = 0;
      for (std::size_t i = 0; i < n; ++i) {
        const double value = std::exp(static_cast<double>(x[i + 1]) - static_cast<double>(peak));
        // Half an ulp of x - peak (at most 40) is what exp magnifies.
        REQUIRE(std::abs(static_cast<double>(e.data()[i]) - value) <= 20 * kEps * value + 1e-37);
        expected += value;
      }
      CHECK(std::abs(static_cast<double>(total) - expected) <= 60 * kEps * expected);
    }
  }
}

TEST_CASE("kernels: extreme exponents", "[kernels]") {
  for (const KernelTable* table : tables()) {
    INFO(table->name);
    std::vector<float> x = {0.0F, -1e-8F, -87.0F, -100.0F, -1e30F, -std::numeric_limits<float>::infinity()};
    const float total = table->exp_sum(x.data(), x.size(), 0.0F);
    CHECK(x[0] == 1.0F);
    CHECK(x[1] == 1.0F);
    for (std::size_t i = 2; i < x.size(); ++i) CHECK((x[i] >= 0.0F && x[i] < 2e-38F));
    CHECK(total == 2.0F);

    const std::vector<float> gates = {-1e30F, -200.0F, -90.0F, 0.0F, 90.0F, 200.0F, 1e30F};
    std::vector<float> silu = gates;
    const std::vector<float> ones(silu.size(), 1.0F);
    table->silu_mul(silu.data(), ones.data(), silu.size());
    for (std::size_t i = 0; i < silu.size(); ++i) {
      const double g = static_cast<double>(gates[i]);
      CHECK(static_cast<double>(silu[i]) == Approx(g / (1 + std::exp(-g))).margin(1e-6));
    }
  }
}

TEST_CASE("kernels: weighted rows and matrix products", "[kernels]") {
  INFO("seed " << kSeed);
  for (const KernelTable* table : tables()) {
    Random random;
    for (const std::size_t n : Sizes{1, 2, 7, 8, 15, 16, 17, 31, 64, 65, 100, 130}) {
      for (const std::size_t k : Sizes{0, 1, 2, 9, 64}) {
        INFO(table->name << ", " << k << " x " << n);
        constexpr std::size_t kRows = 9;
        const auto p = random.vector(kRows * k), v = random.vector(k * n), vt = random.vector(n * k);
        Guarded row(n), nn(kRows * n), nt(kRows * n);
        for (std::size_t i = 0; i < n; ++i) row.data()[i] = 0.5F;
        for (std::size_t i = 0; i < kRows * n; ++i) nn.data()[i] = 0.5F;
        table->add_weighted_rows(row.data(), p.data() + 1, v.data() + 1, k, n);
        REQUIRE(table->gemm_nn_add({p.data() + 1, k, v.data() + 1, n, nn.data(), n, kRows, n, k}));
        REQUIRE(table->gemm_nt({p.data() + 1, k, vt.data() + 1, k, nt.data(), n, kRows, n, k}));
        CHECK((row.intact() && nn.intact() && nt.intact()));
        const double bound = static_cast<double>(k + 2) * kEps * static_cast<double>(k + 1);
        for (std::size_t r = 0; r < kRows; ++r) {
          for (std::size_t i = 0; i < n; ++i) {
            double add = 0.5, product = 0;
            for (std::size_t j = 0; j < k; ++j) {
              const double weight = static_cast<double>(p[r * k + j + 1]);
              add += weight * static_cast<double>(v[j * n + i + 1]);
              product += weight * static_cast<double>(vt[i * k + j + 1]);
            }
            REQUIRE(std::abs(static_cast<double>(nn.data()[r * n + i]) - add) <= bound);
            REQUIRE(std::abs(static_cast<double>(nt.data()[r * n + i]) - product) <= bound);
            if (r == 0) REQUIRE(std::abs(static_cast<double>(row.data()[i]) - add) <= bound);
          }
        }
      }
    }
  }
}
