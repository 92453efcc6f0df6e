// SPDX-License-Identifier: Apache-2.0
#include "util/openmp_team.hpp"

#include <algorithm>

#include "util/cpu_count.hpp"
#include "util/process_id.hpp"

#ifdef Q3G_PARALLEL_OPENMP

#if !defined(_OPENMP) || _OPENMP < 200805
#error "Q3G_PARALLEL_OPENMP needs OpenMP 3.0 or later: compile with -fopenmp"
#endif
#include <omp.h>

namespace qwen3guard::detail {
namespace {

/// The process in which a loop was shared first. The threads are the process's and not a team's, and so is
/// what becomes of them.
std::atomic<long> openmp_process{0};

bool has_lost_openmp_threads() noexcept {
  const long now = process_id();
  long first = 0;
  return !openmp_process.compare_exchange_strong(first, now) && first != now;
}

}  // namespace

OpenMpTeam::OpenMpTeam(int n_threads) noexcept : most_threads_(n_threads > 0 ? n_threads : kMaxThreads) {}

int OpenMpTeam::n_threads() const noexcept {
  if (omp_get_active_level() >= omp_get_max_active_levels()) return 1;
  return std::clamp(std::min(omp_get_max_threads(), omp_get_thread_limit()), 1,
                    std::min<int>(most_threads_, kMaxThreads));
}

bool OpenMpTeam::share(std::size_t n_items, const void* context, Function function) noexcept {
  // However few items there are: GNU's OpenMP ends threads that a region does not want, and starts them anew
  // for the next one.
  const int n_threads = this->n_threads();
  if (n_threads == 1 || has_lost_openmp_threads()) return false;
  const bool is_within_region = omp_in_parallel() != 0;
  if (!is_within_region && is_taken_.exchange(true, std::memory_order_acquire)) return false;
#pragma omp parallel for schedule(dynamic, 1) num_threads(n_threads)
  for (std::size_t i = 0; i < n_items; ++i) function(context, i);
  if (!is_within_region) is_taken_.store(false, std::memory_order_release);
  return true;
}

}  // namespace qwen3guard::detail

#endif  // Q3G_PARALLEL_OPENMP
