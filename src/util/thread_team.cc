// SPDX-License-Identifier: Apache-2.0
#include "util/thread_team.hpp"

#include <chrono>

#include "util/block_signals.hpp"
#include "util/exceptions.hpp"
#include "util/process_id.hpp"

#ifndef Q3G_PARALLEL_NONE  // where the system may have no threads

namespace qwen3guard::detail {
namespace {

constexpr std::uint64_t kOpen = std::uint64_t{1} << 31, kOneLoop = std::uint64_t{1} << 32,
                        kInside = kOpen - 1;

/// Looks at a variable before a thread gives up spinning: some 20 to 100 microseconds. Longer than
/// the gaps inside a forward pass, much shorter than anybody notices.
constexpr int kSpins = 2000;

void pause_briefly() noexcept {
#if defined(__x86_64__) && !defined(_MSC_VER)
  __builtin_ia32_pause();
#elif defined(__aarch64__) && !defined(_MSC_VER)
  __asm__ volatile("isb");  // yield takes no time on most cores
#endif
}

}  // namespace

ThreadTeam::~ThreadTeam() {
  is_stopping_.store(true);
  wake_.wake_all();
  if (is_started_ && process_ != process_id()) {
    // A child of fork(): the threads are in the parent, and their handles may be those of the child's own
    // threads by now, so that even detaching is wrong. The handles are given up.
    static_cast<void>(workers_.release());
    return;
  }
  if (workers_ == nullptr) return;
  for (std::thread& thread : *workers_) thread.join();
}

void ThreadTeam::start_workers() noexcept {
  is_started_ = true;
  process_ = process_id();
  const BlockSignals blocked;
  // Out of threads or memory: the team is as large as it got.
  static_cast<void>(if_nothing_throws([&] {
    workers_ = std::make_unique<std::vector<std::thread>>();
    workers_->reserve(static_cast<std::size_t>(n_threads_ - 1));
    for (int i = 1; i < n_threads_; ++i) workers_->emplace_back([this] { worker(); });
  }));
}

bool ThreadTeam::begin(std::size_t n_items, const void* context, Function function) noexcept {
  if (is_taken_.exchange(true, std::memory_order_acquire)) return false;
  if (!is_started_) start_workers();
  function_ = function;
  context_ = context;
  n_items_ = n_items;
  next_.store(0, std::memory_order_relaxed);
  // Sequentially consistent with the sleepers' count: either the sleeper sees the loop, or it is seen here.
  state_.store((state_.load(std::memory_order_relaxed) & ~(kOneLoop - 1)) + kOneLoop + kOpen);
  if (n_sleeping_.load() > 0) {
    wake_.wake_all();
  }
  return true;
}

void ThreadTeam::work() noexcept {
  for (std::size_t i = next_.fetch_add(1, std::memory_order_relaxed); i < n_items_;
       i = next_.fetch_add(1, std::memory_order_relaxed))
    function_(context_, i);
}

void ThreadTeam::end() noexcept {
  std::uint64_t state = state_.fetch_and(~kOpen, std::memory_order_acq_rel) & ~kOpen;
  for (int i = 0; (state & kInside) != 0; ++i, state = state_.load(std::memory_order_acquire)) {
    if (i < kSpins) {
      pause_briefly();
    } else if (i < 2 * kSpins) {
      std::this_thread::yield();
    } else {  // a worker that the machine does not let run
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    }
  }
  is_taken_.store(false, std::memory_order_release);
}

void ThreadTeam::worker() noexcept {
  std::uint64_t last_loop = 0;
  int n_spins = 0;
  while (!is_stopping_.load(std::memory_order_relaxed)) {
    const std::uint32_t wake = wake_.load();
    std::uint64_t state = state_.load();
    if ((state & kOpen) != 0 && state / kOneLoop != last_loop) {
      // Going in counts only while the loop is still open and the same.
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acq_rel)) {
        last_loop = state / kOneLoop;
        work();
        state_.fetch_sub(1, std::memory_order_release);
        n_spins = 0;
      }
      continue;
    }
    if (n_calls_.load(std::memory_order_relaxed) > 0 && n_spins < kSpins) {
      ++n_spins;
      pause_briefly();
      continue;
    }
    n_sleeping_.fetch_add(1);
    state = state_.load();
    const bool has_work = (state & kOpen) != 0 && state / kOneLoop != last_loop;
    if (!has_work && !is_stopping_.load()) wake_.wait(wake);
    n_sleeping_.fetch_sub(1);
    n_spins = 0;
  }
}

}  // namespace qwen3guard::detail

#endif  // Q3G_PARALLEL_NONE
