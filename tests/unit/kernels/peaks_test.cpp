// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/kernels/peaks.hpp"

#include <cmath>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/detail/kernels/isa.hpp"

using namespace qwen3guard::detail;

TEST_CASE("peaks: every instruction set counts its operations", "[kernels]") {
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
    CAPTURE(table->name);
    for (const auto peak : {table->peak_int8, table->peak_bf16, table->peak_fp32}) {
      CHECK(peak(0) == 0);
      const double one = peak(1);
      CHECK(one >= 256);
      CHECK(peak(3) == 3 * one);
    }
  }
}

TEST_CASE("peaks: sum adds every value once", "[kernels]") {
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
    CAPTURE(table->name);
    for (const std::size_t n : {0UL, 1UL, 15UL, 127UL, 128UL, 129UL, 1000UL}) {
      std::vector<float> x(n);
      for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i);
      CHECK(table->sum(x.data(), n) == static_cast<float>(n) * (static_cast<float>(n) - 1) / 2);
    }
  }
}

TEST_CASE("peaks: figures are positive for any number of threads", "[kernels]") {
  const PeakOptions options{.buffer_bytes = std::size_t{1} << 20, .repeat_ms = 1, .n_repeats = 1};
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
    for (const int n_threads : {1, 3}) {
      CAPTURE(table->name, n_threads);
      ThreadTeam team(n_threads);
      const Peaks peaks = measure_peaks(*table, team, options);
      for (const double figure : {peaks.int8_gops, peaks.bf16_gflops, peaks.fp32_gflops, peaks.read_gb_s}) {
        CHECK(std::isfinite(figure));
        CHECK(figure > 0);
      }
    }
  }
}
