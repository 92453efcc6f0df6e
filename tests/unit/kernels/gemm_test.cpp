// SPDX-License-Identifier: Apache-2.0
// The products of plain matrices that a build without Eigen has, against double arithmetic and against Eigen.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "kernels/isa.hpp"
#include "kernels/tables.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"

namespace qwen3guard::detail {
// The tables, compiled once more without Q3G_WITH_EIGEN and by other names (CMakeLists.txt).
extern const KernelTable kTableScalarWithoutEigen;
#ifdef Q3G_KERNELS_X86
extern const KernelTable kTableAvx2WithoutEigen, kTableAvx512WithoutEigen;
#endif
#ifdef Q3G_KERNELS_ARM
extern const KernelTable kTableNeonWithoutEigen;
#endif
}  // namespace qwen3guard::detail

using namespace qwen3guard::detail;

namespace {

constexpr std::uint64_t kSeed = 11;
constexpr float kGap = 1234.5F;
constexpr double kUnit = std::numeric_limits<float>::epsilon() / 2.0;

/// With and without Eigen, for the sets that this CPU has.
std::vector<std::pair<const KernelTable*, const KernelTable*>> pairs() {
  std::vector<const KernelTable*> without = {&kTableScalarWithoutEigen};
#ifdef Q3G_KERNELS_X86
  without.insert(without.end(), {&kTableAvx2WithoutEigen, &kTableAvx512WithoutEigen});
#endif
#ifdef Q3G_KERNELS_ARM
  without.push_back(&kTableNeonWithoutEigen);
#endif
  std::vector<std::pair<const KernelTable*, const KernelTable*>> found;
  for (const KernelTable* here : tables_for(features_of(read_cpuid()))) {
    for (const KernelTable* table : without) {
      if (std::string_view(table->name) == here->name) found.emplace_back(here, table);
    }
  }
  return found;
}

std::vector<float> random_values(std::size_t n, std::mt19937_64& random) {
  std::vector<float> values(n);
  for (float& v : values) v = q3g_test::random_uniform(random);
  return values;
}

struct Shape {
  std::size_t m, n, k, gap;  // gap: between rows
  [[nodiscard]] GemmArgs args(const std::vector<float>& a, const std::vector<float>& b, std::vector<float>& c,
                              std::size_t b_cols) const {
    return {a.data(), k + gap, b.data(), b_cols + gap, c.data(), n + gap, m, n, k};
  }
};

/// c against c + a b, where element (l, j) of b is b[l * row + j * col]. Random signs: roundings add up like
/// a random walk, of some sqrt(k) steps of half an ulp of a partial sum, which is some sqrt(k) / 3; times 8.
void check_product(const Shape& s, const GemmArgs& g, std::size_t row, std::size_t col, float before) {
  double worst = 0;
  bool gaps_kept = true;
  for (std::size_t i = 0; i < s.m; ++i) {
    for (std::size_t j = 0; j < s.n; ++j) {
      double sum = static_cast<double>(before);
      for (std::size_t l = 0; l < s.k; ++l)
        sum += static_cast<double>(g.a[i * g.lda + l]) * static_cast<double>(g.b[l * row + j * col]);
      worst = std::max(worst, std::abs(static_cast<double>(g.c[i * g.ldc + j]) - sum));
    }
    for (std::size_t j = s.n; j < g.ldc; ++j) gaps_kept = gaps_kept && g.c[i * g.ldc + j] == kGap;
  }
  CHECK(worst <= 8 * kUnit * static_cast<double>(s.k) / 3 + 1e-6);
  CHECK(gaps_kept);
}

/// The rows of a alone have the same sums, to the last bit.
void check_single_rows(const KernelTable& table, const GemmArgs& g) {
  std::vector<float> row(g.n);
  bool same = true;
  for (std::size_t i = 0; i < g.m; ++i) {
    GemmArgs one = g;
    one.m = 1;
    one.a += i * g.lda;
    one.c = row.data();
    REQUIRE(table.gemm_nt(one));
    same = same && std::equal(row.begin(), row.end(), g.c + i * g.ldc);
  }
  CHECK(same);
}

}  // namespace

TEST_CASE("kernels: products of plain matrices without Eigen", "[kernels]") {
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  REQUIRE_FALSE(pairs().empty());
  for (const auto& [with, without] : pairs()) {
    for (const Shape& s : {Shape{1, 1, 0, 0}, Shape{1, 1, 1, 2}, Shape{2, 5, 7, 0}, Shape{3, 4, 16, 1},
                           Shape{32, 9, 33, 0}, Shape{33, 64, 128, 3}, Shape{5, 6, 1023, 0},
                           Shape{35, 7, 1024, 0}, Shape{4, 17, 1025, 2}, Shape{9, 3, 3100, 1}}) {
      INFO(with->name << ": " << s.m << " x " << s.n << " x " << s.k << ", gaps of " << s.gap);
      const auto a = random_values(s.m * (s.k + s.gap), random);
      const auto bt = random_values(s.n * (s.k + s.gap), random);
      const auto b = random_values(s.k * (s.n + s.gap), random);
      std::vector<float> c(s.m * (s.n + s.gap), kGap), eigen = c;
      const GemmArgs nt = s.args(a, bt, c, s.k);
      REQUIRE(without->gemm_nt(nt));
      check_product(s, nt, 1, nt.ldb, 0);
      check_single_rows(*without, nt);
      REQUIRE(with->gemm_nt(s.args(a, bt, eigen, s.k)));
      for (std::size_t i = 0; i < c.size(); ++i) {
        REQUIRE(std::abs(static_cast<double>(c[i]) - static_cast<double>(eigen[i])) <=
                16 * kUnit * static_cast<double>(s.k) / 3 + 2e-6);
      }
      for (std::size_t i = 0; i < s.m; ++i) std::fill_n(c.data() + i * nt.ldc, s.n, 0.5F);
      const GemmArgs nn = s.args(a, b, c, s.n);
      REQUIRE(without->gemm_nn_add(nn));
      check_product(s, nn, nn.ldb, 1, 0.5F);
    }
  }
}
