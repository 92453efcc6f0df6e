// SPDX-License-Identifier: Apache-2.0
#include "bench/peaks.hpp"

#include <cmath>
#include <vector>

#include "kernels/isa.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard::bench;
using namespace qwen3guard::detail;
using qwen3guard::ErrorCode;

TEST_CASE("peaks: every instruction set counts its operations", "[bench]") {
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
    CAPTURE(table->name);
    const PeakLoops& loops = *peak_loops(table->name).value();
    for (const auto peak : {loops.int8, loops.bf16, loops.fp32}) {
      CHECK(peak(0) == 0);
      const double one = peak(1);
      CHECK(one >= 256);
      CHECK(peak(3) == 3 * one);
    }
  }
}

TEST_CASE("peaks: sum adds every value once", "[bench]") {
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
    CAPTURE(table->name);
    const PeakLoops& loops = *peak_loops(table->name).value();
    for (const std::size_t n : {0UL, 1UL, 15UL, 127UL, 128UL, 129UL, 1000UL}) {
      std::vector<float> x(n);
      for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<float>(i);
      CHECK(loops.sum(x.data(), n) == static_cast<float>(n) * (static_cast<float>(n) - 1) / 2);
    }
  }
}

TEST_CASE("peaks: figures are positive for any number of threads", "[bench]") {
  const PeakOptions options{.buffer_bytes = std::size_t{1} << 20, .repeat_ms = 1, .n_repeats = 1};
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
    for (const int n_threads : {1, 3}) {
      CAPTURE(table->name, n_threads);
      Team team(n_threads);
      const Peaks peaks = measure_peaks(*peak_loops(table->name).value(), team, options);
      for (const double figure : {peaks.int8_gops, peaks.bf16_gflops, peaks.fp32_gflops, peaks.read_gb_s}) {
        CHECK(std::isfinite(figure));
        CHECK(figure > 0);
      }
    }
  }
}

TEST_CASE("peaks: an unknown instruction set is an error", "[bench]") {
  const auto loops = peak_loops("avx1024");
  REQUIRE_FALSE(loops.ok());
  CHECK(loops.error().code == ErrorCode::unsupported_isa);
  CHECK(loops.error().detail.find("avx1024") != std::string::npos);
}
