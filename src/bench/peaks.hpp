// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_BENCH_PEAKS_HPP
#define QWEN3GUARD_SRC_BENCH_PEAKS_HPP

#include <cstddef>
#include <string_view>

#include "bench/peaks/peak_loops.hpp"
#include "qwen3guard/status.hpp"
#include "tensor/weight_types.hpp"
#include "util/workers.hpp"

namespace qwen3guard::bench {

/// What an instruction set and the memory can do on some threads: the roofline that kernels stand under.
struct Peaks {
  double int8_gops = 0;    ///< 10^9 operations a second on int8; a multiply-add counts 2
  double bf16_gflops = 0;  ///< the same on bfloat16
  double fp32_gflops = 0;  ///< the same on float32
  double read_gb_s = 0;    ///< 10^9 bytes a second, read in order by all threads, each its own part

  /// 10^9 operations a second on numbers of that form.
  [[nodiscard]] double of(detail::Arithmetic arithmetic) const noexcept;
};

struct PeakOptions {
  /// What is read for read_gb_s: more than the caches hold. Halved until it can be allocated.
  std::size_t buffer_bytes = std::size_t{512} << 20;
  double repeat_ms = 25;  ///< of one repeat; the best one counts
  int n_repeats = 6;
};

/// The loops of an instruction set by the name that its KernelTable has; they live for ever. The set must be
/// one that this CPU has. Errors: unsupported_isa (this build has none of that name).
[[nodiscard]] Result<const PeakLoops*> peak_loops(std::string_view isa);

/// Measures them now, on the team's threads: about 4 * (n_repeats + 1) * repeat_ms, and the time it takes to
/// allocate the memory. Throws std::bad_alloc when not even 1 MiB can be allocated.
[[nodiscard]] Peaks measure_peaks(const PeakLoops& loops, detail::Team& team,
                                  const PeakOptions& options = {});

}  // namespace qwen3guard::bench

#endif  // QWEN3GUARD_SRC_BENCH_PEAKS_HPP
