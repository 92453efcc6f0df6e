// SPDX-License-Identifier: Apache-2.0
#include "tensor/linear.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <tuple>
#include <vector>

#include "kernels/isa.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"
#include "tensor/quantize.hpp"
#include "util/half.hpp"

using namespace qwen3guard::detail;

namespace {

constexpr std::uint64_t kSeed = 3;

std::vector<float> random_values(std::size_t n, std::mt19937_64& random) {
  std::vector<float> values(n);
  for (float& v : values) v = q3g_test::random_uniform(random);
  return values;
}

/// A matrix in each stored dtype.
struct Stored {
  std::vector<float> wide;
  std::vector<std::uint16_t> narrow;

  MatrixView view(DType dtype, std::size_t rows, std::size_t cols) {
    narrow.clear();
    for (float& v : wide) {
      if (dtype == DType::f32) break;
      narrow.push_back(dtype == DType::bf16 ? f32_to_bf16(v) : f32_to_f16(v));
      v = dtype == DType::bf16 ? bf16_to_f32(narrow.back()) : f16_to_f32(narrow.back());
    }
    const void* data = dtype == DType::f32 ? static_cast<const void*>(wide.data()) : narrow.data();
    return {dtype, data, rows, cols};
  }
};

}  // namespace

TEST_CASE("linear: every dtype, shape and set against double, whatever the threads", "[tensor][linear]") {
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (const std::string& isa : available_isas()) {
    const KernelTable& kernels = **select_kernels(isa);
    for (const auto& [n, rows, cols] : {std::tuple<std::size_t, std::size_t, std::size_t>{1, 1, 1},
                                        {1, 300, 70},
                                        {2, 129, 33},
                                        {6, 40, 17},
                                        {7, 40, 17},
                                        {9, 1, 5},
                                        {33, 515, 40},
                                        {17, 70, 9001},
                                        {40, 64, 600}}) {
      for (const DType dtype : {DType::bf16, DType::f16, DType::f32}) {
        Stored stored{random_values(rows * cols, random), {}};
        const MatrixView w = stored.view(dtype, rows, cols);
        const auto x = random_values(n * cols, random);
        // Rows of y lie apart: what is between them must stay.
        const std::size_t stride = rows + 3;
        std::vector<float> first;
        for (const int n_threads : {1, 2, 3}) {
          std::vector<float> y(n * stride, 7.0F);
          LinearScratch scratch;
          Team team(n_threads);
          linear({y.data(), n, rows, stride}, Span2d<const float>(x.data(), n, cols), w,
                 {kernels, Workers(&team), scratch});
          if (n_threads == 1) first = y;
          CHECK(y == first);
        }
        double worst = 0;
        bool gaps_kept = true;
        for (std::size_t i = 0; i < n; ++i) {
          for (std::size_t gap = rows; gap < stride; ++gap)
            gaps_kept = gaps_kept && first[i * stride + gap] == 7.0F;
          for (std::size_t j = 0; j < rows; ++j) {
            double sum = 0;
            for (std::size_t l = 0; l < cols; ++l)
              sum += static_cast<double>(x[i * cols + l]) * static_cast<double>(stored.wide[j * cols + l]);
            worst = std::max(worst, std::abs(static_cast<double>(first[i * stride + j]) - sum));
          }
        }
        INFO(isa << " " << to_string(dtype) << " " << n << " x " << rows << " x " << cols);
        CHECK(gaps_kept);
        // Random signs: roundings add up like a random walk, sums of about sqrt(cols) / 3, eps 6e-8; times 8.
        CHECK(worst <=
              8 * 6e-8 * std::sqrt(static_cast<double>(cols)) * std::sqrt(static_cast<double>(cols)) / 3 +
                  1e-6);
      }
    }
  }
}

TEST_CASE("linear: every packed type, several products of one x, whatever the threads", "[tensor][linear]") {
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  const auto worst_of = [](Span2d<const float> y, Span2d<const float> x, const PackedView& w) {
    double worst = 0;
    std::vector<float> row(x.cols());
    for (std::size_t j = 0; j < w.shape.rows; ++j) {
      unpack_row(row, w, j);
      for (std::size_t i = 0; i < x.rows(); ++i) {
        double sum = 0;
        for (std::size_t l = 0; l < x.cols(); ++l)
          sum += static_cast<double>(x.row(i)[l]) * static_cast<double>(row[l]);
        worst = std::max(worst, std::abs(static_cast<double>(y.row(i)[j]) - sum));
      }
    }
    return worst;
  };
  for (const std::string& isa : available_isas()) {
    const KernelTable& kernels = **select_kernels(isa);
    for (const WeightType& type : kWeightTypes) {
      for (const std::size_t cols : {1UL, 70UL, 128UL}) {
        // Rows of x lie apart, with what is no number between them: padding is not read.
        const std::size_t n = 9, stride = cols + 5, rows[] = {40, 300};
        std::vector<float> values(n * stride, std::numeric_limits<float>::quiet_NaN());
        for (std::size_t i = 0; i < values.size(); ++i) {
          if (i % stride < cols) values[i] = q3g_test::random_uniform(random);
        }
        const Span2d<const float> x(values.data(), n, cols, stride);
        std::vector<PackedMatrix> packed;
        std::vector<WeightMatrix> weights;
        for (const std::size_t r : rows) {
          const auto w = random_values(r * cols, random);
          packed.push_back(pack({DType::f32, w.data(), r, cols},
                                {.type = type.id, .group = type.default_group, .column_importance = {}}, "w")
                               .value());
          weights.push_back({packed.back().view()});
        }
        std::vector<float> first;
        for (const int n_threads : {1, 3}) {
          std::vector<float> y(n * 340, 7.0F);
          LinearScratch scratch;
          Team team(n_threads);
          const Product products[] = {{{y.data(), n, 40, 40}, &weights[0]},
                                      {{y.data() + n * 40, n, 300, 300}, &weights[1]}};
          linear(products, x, {kernels, Workers(&team), scratch});
          if (n_threads == 1) first = y;
          CHECK(y == first);
        }
        // Sums of terms of both signs, each below 1, with what x loses: nothing, 8 bits, or a step of 1/127.
        const double of_x = type.x == Arithmetic::fp32   ? 0x1p-22
                            : type.x == Arithmetic::bf16 ? 0x1p-9
                                                         : 1 / 254.0;
        const double bound = 4 * of_x * std::sqrt(static_cast<double>(cols)) + 1e-6;
        INFO(isa << " " << type.name << " " << cols);
        CHECK(worst_of({first.data(), n, 40}, x, packed[0].view()) <= bound);
        CHECK(worst_of({first.data() + n * 40, n, 300}, x, packed[1].view()) <= bound);
      }
    }
  }
}

TEST_CASE("linear: nothing in, nothing out", "[tensor][linear]") {
  const KernelTable& kernels = **select_kernels("");
  float untouched = 3;
  LinearScratch scratch;
  linear({&untouched, 0, 4}, Span2d<const float>(nullptr, 0, 2), MatrixView{DType::f32, nullptr, 4, 2},
         {kernels, Workers(), scratch});
  CHECK(untouched == 3.0F);
}

TEST_CASE("tensor view: one row, widened", "[tensor]") {
  std::vector<std::uint16_t> stored;
  for (int i = 0; i < 12; ++i) stored.push_back(f32_to_bf16(static_cast<float>(i)));
  std::vector<float> row(4);
  widen_row(row, {DType::bf16, stored.data(), 3, 4}, 2, **select_kernels(""));
  CHECK(row == std::vector<float>{8, 9, 10, 11});
}
