// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_KERNELS_PEAKS_HPP
#define QWEN3GUARD_DETAIL_KERNELS_PEAKS_HPP

#include <cstddef>

#include "qwen3guard/detail/kernels/kernel_table.hpp"
#include "qwen3guard/detail/util/thread_team.hpp"

namespace qwen3guard::detail {

/// What an instruction set and the memory can do on some threads: the roofline that kernels stand under.
struct Peaks {
  double int8_gops = 0;    ///< 10^9 operations a second on int8; a multiply-add counts 2
  double bf16_gflops = 0;  ///< the same on bfloat16
  double fp32_gflops = 0;  ///< the same on float32
  double read_gb_s = 0;    ///< 10^9 bytes a second, read in order by all threads, each its own part
};

struct PeakOptions {
  /// What is read for read_gb_s: more than the caches hold. Halved until the memory can be had.
  std::size_t buffer_bytes = std::size_t{512} << 20;
  double repeat_ms = 25;  ///< of one repeat; the best one counts
  int n_repeats = 6;
};

/// Measures them now, on the team's threads: about 4 * (n_repeats + 1) * repeat_ms, and the time it takes to
/// get the memory. Throws std::bad_alloc when not even 1 MiB can be had.
[[nodiscard]] Peaks measure_peaks(const KernelTable& kernels, ThreadTeam& team,
                                  const PeakOptions& options = {});

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_KERNELS_PEAKS_HPP
