// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_OPENMP_TEAM_HPP
#define QWEN3GUARD_SRC_UTIL_OPENMP_TEAM_HPP

#include <atomic>
#include <cstddef>

namespace qwen3guard::detail {

/// Runs loops on the OpenMP threads that the host has anyway; the same functions as ThreadTeam. The host's
/// settings hold as they are when a loop begins, and on the thread that calls: its number of threads
/// (OMP_NUM_THREADS, omp_set_num_threads), its limit of threads, and how deep regions may be nested. With
/// OpenMP's own default, no region within a region, a call from inside a parallel region of the host runs on
/// the thread that calls.
///
/// Outside of the host's regions one loop at a time is shared: when two threads call at once, the second
/// one's loop runs on it alone, instead of a pool for each of them on the same processors. Inside a region
/// whose threads may have regions of their own each one has, as the host has said so.
///
/// After a fork() the child's loops run on the caller when the parent had shared one: GNU's OpenMP would wait
/// for threads that are in the parent. Thread-safe, but for destruction.
class OpenMpTeam {
 public:
  /// n_threads: at most so many of the host's; 0: all that the host's settings allow.
  explicit OpenMpTeam(int n_threads) noexcept;
  OpenMpTeam(const OpenMpTeam&) = delete;
  OpenMpTeam& operator=(const OpenMpTeam&) = delete;
  ~OpenMpTeam() = default;

  /// That a loop of the calling thread may have now, 1 to kMaxThreads.
  [[nodiscard]] int n_threads() const noexcept;

  /// OpenMP's threads wait between loops as the host wants them to (OMP_WAIT_POLICY).
  class Call {
   public:
    explicit Call(OpenMpTeam& /*team*/) noexcept {}
  };

  /// body(item) for every item in [0, n_items), each exactly once, in any order and on any of the threads;
  /// returns when all are done, and what the items wrote is visible then. body must not throw.
  template <class Body>
  void run(std::size_t n_items, const Body& body) {
    if (n_items > 1 && share(n_items, &body, [](const void* context, std::size_t item) {
          (*static_cast<const Body*>(context))(item);
        }))
      return;
    for (std::size_t i = 0; i < n_items; ++i) body(i);
  }

 private:
  using Function = void (*)(const void* context, std::size_t item);

  /// Runs the loop in a parallel region; false when there is to be none. In a file of its own, the only one
  /// that is compiled for OpenMP: with it, Eigen would have threads as well.
  bool share(std::size_t n_items, const void* context, Function function) noexcept;

  const int most_threads_;
  std::atomic<bool> is_taken_{false};
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_OPENMP_TEAM_HPP
