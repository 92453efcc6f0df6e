// SPDX-License-Identifier: Apache-2.0
// What sharing a loop costs: loops of two items that do nothing or spin for some microseconds, on the
// library's threads and on OpenMP's (left out when the compiler has none), with a serial gap between the
// loops as in a forward pass. The time of the items themselves is part of what is reported. Measure on an
// idle machine: without two free processors, the figures say something else.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>

#include "util/thread_team.hpp"

namespace {

using qwen3guard::detail::ThreadTeam;

constexpr int kThreads = 2;

/// Keeps a processor busy, as arithmetic would.
void busy(int us) {
  if (us == 0) return;
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(us);
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// Counts the items that another thread than the caller took. A machine that is busy with something else
/// shows here: `shared` is near 0 where it should be near 1, and the times are then those of one thread.
class Shared {
 public:
  void count() noexcept {
    if (std::this_thread::get_id() != caller_) n_.fetch_add(1, std::memory_order_relaxed);
  }
  void report(benchmark::State& state) const {
    state.counters["shared"] =
        benchmark::Counter(static_cast<double>(n_.load()), benchmark::Counter::kAvgIterations);
  }

 private:
  const std::thread::id caller_ = std::this_thread::get_id();
  std::atomic<long> n_{0};
};

void loops(benchmark::State& state, ThreadTeam& team) {
  const int item_us = static_cast<int>(state.range(0)), gap_us = static_cast<int>(state.range(1));
  Shared shared;
  for (auto _ : state) {
    team.run(kThreads, [&](std::size_t) {
      shared.count();
      busy(item_us);
    });
    busy(gap_us);
  }
  shared.report(state);
}

/// Arguments: microseconds of an item, microseconds of the gap. An empty loop is over before a worker comes,
/// and the team does not wait for one that has not begun: `shared` is small there without anything being
/// wrong.
void BM_team_in_call(benchmark::State& state) {
  ThreadTeam team(kThreads);
  const ThreadTeam::Call call(team);
  loops(state, team);
}

/// Without a call, workers sleep between loops: what Call saves.
void BM_team_no_call(benchmark::State& state) {
  ThreadTeam team(kThreads);
  loops(state, team);
}

#ifdef _OPENMP
/// OpenMP's loops end with a barrier of all threads, those without an item among them.
void BM_openmp(benchmark::State& state) {
  const int item_us = static_cast<int>(state.range(0)), gap_us = static_cast<int>(state.range(1));
  Shared shared;
  for (auto _ : state) {
#pragma omp parallel for num_threads(kThreads) schedule(dynamic, 1)
    for (int i = 0; i < kThreads; ++i) {
      shared.count();
      busy(item_us);
    }
    busy(gap_us);
  }
  shared.report(state);
}
#endif

/// Empty loops; a small model's decoding; a larger one's; a gap longer than the workers spin.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"item_us", "gap_us"})->UseRealTime()->Unit(benchmark::kMicrosecond);
  benchmark->Args({0, 0})->Args({10, 2})->Args({100, 5})->Args({10, 500});
}

BENCHMARK(BM_team_in_call)->Apply(shapes);
BENCHMARK(BM_team_no_call)->Apply(shapes);
#ifdef _OPENMP
BENCHMARK(BM_openmp)->Apply(shapes);
#endif

}  // namespace
