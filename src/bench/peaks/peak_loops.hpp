// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_BENCH_PEAKS_PEAK_LOOPS_HPP
#define QWEN3GUARD_SRC_BENCH_PEAKS_PEAK_LOOPS_HPP

#include <cstddef>

// Files compiled with instruction-set flags include this: plain data only (see kernel_table.hpp).
namespace qwen3guard::bench {

/// Loops that show what an instruction set can do at most. A plain value in static storage; every pointer is
/// set. Functions are pure: any thread.
struct PeakLoops {
  /// n_rounds of the set's best multiply-adds on operands in registers. They return how many operations that
  /// was; a multiply-add counts 2.
  double (*int8)(std::size_t n_rounds) noexcept;
  double (*bf16)(std::size_t n_rounds) noexcept;
  double (*fp32)(std::size_t n_rounds) noexcept;
  /// Sum of x [n]: reads as fast as memory delivers.
  float (*sum)(const float* x, std::size_t n) noexcept;
};

}  // namespace qwen3guard::bench

#endif  // QWEN3GUARD_SRC_BENCH_PEAKS_PEAK_LOOPS_HPP
