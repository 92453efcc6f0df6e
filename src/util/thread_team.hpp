// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_THREAD_TEAM_HPP
#define QWEN3GUARD_SRC_UTIL_THREAD_TEAM_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <thread>
#include <vector>

#include "util/cpu_count.hpp"
#include "util/wake_count.hpp"

#ifndef Q3G_PARALLEL_NONE  // where the system may have no threads

namespace qwen3guard::detail {

/// Threads that run one loop after the other for a call. A forward pass has some 200 loops of 10 to 1000
/// microseconds with short gaps, so inside a call an idle worker spins for a moment before it sleeps; outside
/// of calls it sleeps at once and burns nothing.
///
/// The caller takes part and waits for those workers only that have begun an item: one that the machine does
/// not schedule delays nobody. When the team is taken (another thread's loop, or a loop inside a loop), the
/// loop runs on the calling thread alone, so nothing waits for anything and nothing can lock up; hosts with
/// threads of their own, OpenMP's among them, call as they like. In the child of a fork() there are no
/// workers: loops run on the caller. Thread-safe, but for destruction.
// What all threads write lies on cache lines of its own.
// NOLINTNEXTLINE(clang-analyzer-optin.performance.Padding)
class ThreadTeam {
 public:
  /// n_threads: the caller and n_threads - 1 workers, which are started by the first loop that wants them; 0:
  /// default_n_threads(). When the system refuses a thread, the team is smaller.
  explicit ThreadTeam(int n_threads) noexcept : n_threads_(n_threads > 0 ? n_threads : default_n_threads()) {}
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;
  ~ThreadTeam();

  [[nodiscard]] int n_threads() const noexcept { return n_threads_; }

  /// While one lives, workers may spin between loops.
  class Call {
   public:
    explicit Call(ThreadTeam& team) noexcept : team_(team) { team_.n_calls_.fetch_add(1); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    ~Call() { team_.n_calls_.fetch_sub(1); }

   private:
    ThreadTeam& team_;
  };

  /// body(item) for every item in [0, n_items), each exactly once, in any order and on any of the threads;
  /// returns when all are done, and what the items wrote is visible then. body must not throw. Allocates
  /// nothing once the workers run.
  template <class Body>
  void run(std::size_t n_items, const Body& body) {
    if (n_items > 1 && n_threads_ > 1 && begin(n_items, &body, [](const void* context, std::size_t item) {
          (*static_cast<const Body*>(context))(item);
        })) {
      work();
      end();
      return;
    }
    for (std::size_t i = 0; i < n_items; ++i) body(i);
  }

 private:
  using Function = void (*)(const void* context, std::size_t item);

  /// Takes the team and publishes the loop; false when the team is taken.
  bool begin(std::size_t n_items, const void* context, Function function) noexcept;
  /// Takes items until none is left.
  void work() noexcept;
  /// Closes the loop, waits for the workers inside it, and gives the team back.
  void end() noexcept;
  void start_workers() noexcept;
  void worker() noexcept;

  const int n_threads_;
  std::atomic<bool> is_taken_{false};
  std::atomic<bool> is_stopping_{false};
  std::atomic<int> n_calls_{0};

  // The loop. Written by the caller that has taken the team, while no worker is inside.
  Function function_ = nullptr;
  const void* context_ = nullptr;
  std::size_t n_items_ = 0;
  std::atomic<std::size_t> next_{0};

  /// Loop number in the upper half; then whether it is open, and how many workers are inside.
  alignas(64) std::atomic<std::uint64_t> state_{0};
  /// Counts up when sleepers have to look again.
  alignas(64) WakeCount wake_;
  std::atomic<int> n_sleeping_{0};

  std::unique_ptr<std::vector<std::thread>> workers_;  // given up, not destroyed, in the child of a fork()
  bool is_started_ = false;
  long process_ = 0;  // that started the workers
};

}  // namespace qwen3guard::detail

#endif  // Q3G_PARALLEL_NONE

#endif  // QWEN3GUARD_SRC_UTIL_THREAD_TEAM_HPP
