// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_CPU_COUNT_HPP
#define QWEN3GUARD_SRC_UTIL_CPU_COUNT_HPP

#include <cstdint>
#include <string>

#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// Threads a call may use when the user said nothing: OMP_NUM_THREADS, which numerical libraries share; else
/// the number of processors this process may use (affinity; a cgroup's quota, rounded up); 1 to
/// kMaxThreads.
[[nodiscard]] int default_n_threads() noexcept;

/// The most threads that a call may use.
inline constexpr std::int32_t kMaxThreads = 1024;

/// Whether `n_threads` is a number of threads that the user may ask for, 0 (automatic) to kMaxThreads.
/// Errors: invalid_argument.
[[nodiscard]] Status check_n_threads(std::int32_t n_threads);

/// The processors that cgroup v2's cpu.max allows ("150000 100000" is 1.5, rounded up to 2); 0 when it sets
/// no limit
/// ("max 100000") or is not understood.
[[nodiscard]] int processors_of_cpu_max(const char* text) noexcept;

/// The processors that the control groups of this process allow: the lowest quota of the groups in
/// /proc/self/cgroup and of all groups above them, of version 2 and of version 1; 0 when there is none.
/// `root` is put before every path that is read (tests).
[[nodiscard]] int processors_of_cgroups(const std::string& root);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_CPU_COUNT_HPP
