// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_UTIL_PARALLEL_HPP
#define QWEN3GUARD_DETAIL_UTIL_PARALLEL_HPP

#include <cstddef>

#ifdef _OPENMP
#include <omp.h>
#endif

/// The only place that knows OpenMP. Work is cut into items whose size does not depend on the thread count,
/// so that results are the same for any number of threads.
namespace qwen3guard::detail {

/// Threads a call may use when the user said nothing: OMP_NUM_THREADS or the number of cores; at least 1.
inline int default_n_threads() noexcept {
#ifdef _OPENMP
  const int n = omp_get_max_threads();
  return n > 0 ? n : 1;
#else
  return 1;
#endif
}

/// Calls body(item) for every item in [0, n_items), on up to n_threads threads. body must not throw.
template <class Body>
void parallel_for(std::size_t n_items, int n_threads, const Body& body) {
#ifdef _OPENMP
  if (n_threads > 1 && n_items > 1) {
    const int team = n_items < static_cast<std::size_t>(n_threads) ? static_cast<int>(n_items) : n_threads;
#pragma omp parallel for schedule(dynamic, 1) num_threads(team)
    for (std::ptrdiff_t i = 0; i < static_cast<std::ptrdiff_t>(n_items); ++i)
      body(static_cast<std::size_t>(i));
    return;
  }
#else
  (void)n_threads;
#endif
  for (std::size_t i = 0; i < n_items; ++i) body(i);
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_UTIL_PARALLEL_HPP
