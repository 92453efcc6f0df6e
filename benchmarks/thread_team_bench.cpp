// SPDX-License-Identifier: Apache-2.0
// What shares a call's loops, side by side: the library's threads, OpenMP's, and none.
//  - Loops of two items that do nothing or spin for some microseconds, with a serial gap between them as in a
//    forward pass, by every kind of team that this build has: all three with -DQ3G_PARALLEL=openmp. The time
//    of the items themselves is part of what is reported.
//  - Calls of the library, by the kind of team that it was built with: a verdict, a token of a stream, both
//  on
//    a machine that is busy with something else, and the CPU time that goes by in the 100 ms after a verdict.
//    The environment's Q3G_BENCH_GEN and Q3G_BENCH_STREAM name the models; without them, the small ones in
//    the library, whose tokens are too little work to be shared.
// benchmarks/parallel.py builds and runs the three. Measure on an idle machine: without two free processors,
// the figures say something else.
#include <benchmark/benchmark.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include "streams/streams_common.hpp"
#include "util/cpu_count.hpp"
#include "util/workers.hpp"

namespace {

using namespace qwen3guard;

constexpr int kThreads = 2;

/// Keeps a processor busy, as arithmetic would.
void busy(int us) {
  if (us == 0) return;
  const auto end = std::chrono::steady_clock::now() + std::chrono::microseconds(us);
  while (std::chrono::steady_clock::now() < end) {
  }
}

/// Arguments: microseconds of an item, microseconds of the gap. `shared` counts the items that another thread
/// than the caller took. A machine that is busy with something else shows there: it is near 0 where it should
/// be near 1, and the times are then those of one thread. An empty loop is over before a worker comes, and
/// the library's team does not wait for one that has not begun: `shared` is small there without anything
/// being wrong. OpenMP's loops end with a barrier of all threads, those without an item among them.
template <class Team>
void loops(benchmark::State& state, Team& team) {
  const int item_us = static_cast<int>(state.range(0)), gap_us = static_cast<int>(state.range(1));
  const std::thread::id caller = std::this_thread::get_id();
  std::atomic<long> n_shared{0};
  for (auto _ : state) {
    team.run(kThreads, [&](std::size_t) {
      if (std::this_thread::get_id() != caller) n_shared.fetch_add(1, std::memory_order_relaxed);
      busy(item_us);
    });
    busy(gap_us);
  }
  state.counters["shared"] =
      benchmark::Counter(static_cast<double>(n_shared.load()), benchmark::Counter::kAvgIterations);
}

template <class Team>
void BM_loops(benchmark::State& state) {
  Team team(kThreads);
  const typename Team::Call call(team);
  loops(state, team);
}

/// Empty loops; a small model's decoding; a larger one's; a gap longer than the workers spin.
void shapes(benchmark::internal::Benchmark* benchmark) {
  benchmark->ArgNames({"item_us", "gap_us"})->UseRealTime()->Unit(benchmark::kMicrosecond);
  benchmark->Args({0, 0})->Args({10, 2})->Args({100, 5})->Args({10, 500});
}

BENCHMARK(BM_loops<detail::NoTeam>)->Name("loops/none")->Apply(shapes);
#ifndef Q3G_PARALLEL_NONE
/// Without a call, workers sleep between loops: what Call saves.
void BM_team_no_call(benchmark::State& state) {
  detail::ThreadTeam team(kThreads);
  loops(state, team);
}
BENCHMARK(BM_loops<detail::ThreadTeam>)->Name("loops/team")->Apply(shapes);
BENCHMARK(BM_team_no_call)->Name("loops/team_without_call")->Apply(shapes);
#endif
#ifdef Q3G_PARALLEL_OPENMP
BENCHMARK(BM_loops<detail::OpenMpTeam>)->Name("loops/openmp")->Apply(shapes);
#endif

const Guard& guard_of(const char* variable, const char* otherwise) {
  static std::vector<std::pair<std::string, Guard>> loaded;
  const char* named = std::getenv(variable);
  const std::string name = named != nullptr && *named != '\0' ? named : otherwise;
  for (const auto& [known, guard] : loaded)
    if (known == name) return guard;
  loaded.reserve(2);
  return loaded.emplace_back(name, streams::load(name, 0)).second;
}

/// Another program that has a thread for each processor.
class BusyHost {
 public:
  explicit BusyHost(bool is_busy) {
    for (int i = 0; is_busy && i < detail::default_n_threads(); ++i) {
      threads_.emplace_back([this] {
        while (!is_over_.load(std::memory_order_relaxed)) {
        }
      });
    }
  }
  BusyHost(const BusyHost&) = delete;
  BusyHost& operator=(const BusyHost&) = delete;
  ~BusyHost() {
    is_over_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  std::atomic<bool> is_over_{false};
  std::vector<std::thread> threads_;
};

void judge(const Guard& guard) {
  benchmark::DoNotOptimize(guard.classify_prompt(streams::prose(600)).value().probabilities);
}

void BM_verdict(benchmark::State& state, bool is_busy) {
  const Guard& guard = guard_of("Q3G_BENCH_GEN", "nano-gen");
  judge(guard);
  const BusyHost host(is_busy);
  for (auto _ : state) judge(guard);
}

/// One token behind 200 others, again and again.
void BM_token(benchmark::State& state, bool is_busy) {
  const Guard& guard = guard_of("Q3G_BENCH_STREAM", "nano-stream");
  const std::vector<TokenId> ids = streams::prose_ids(*guard.tokenizer(), 201);
  StreamSession session = guard.open_stream().value();
  std::vector<TokenVerdict> verdicts(200);
  static_cast<void>(session.push_prompt("Please write a short story about a ferry.").value());
  session.push_tokens({ids.data(), 200}, verdicts).throw_if_error();
  const StreamMark mark = session.mark();
  const BusyHost host(is_busy);
  for (auto _ : state) {
    session.push_tokens({&ids[200], 1}, verdicts).throw_if_error();
    static_cast<void>(session.rewind(mark).value());
  }
}

/// The process's CPU time, all threads, in the 100 ms after a verdict. 100 is one processor.
void BM_idle(benchmark::State& state) {
  const Guard& guard = guard_of("Q3G_BENCH_GEN", "nano-gen");
  double cpu_ms = 0;
  for (auto _ : state) {
    judge(guard);
    const std::clock_t before = std::clock();
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cpu_ms += 1000.0 * static_cast<double>(std::clock() - before) / CLOCKS_PER_SEC;
  }
  state.counters["cpu_ms"] = benchmark::Counter(cpu_ms, benchmark::Counter::kAvgIterations);
}

void calls(benchmark::internal::Benchmark* benchmark) {
  benchmark->UseRealTime()->Unit(benchmark::kMillisecond);
}

BENCHMARK_CAPTURE(BM_verdict, quiet, false)->Name("verdict")->Apply(calls);
BENCHMARK_CAPTURE(BM_token, quiet, false)->Name("token")->Apply(calls);
BENCHMARK_CAPTURE(BM_verdict, busy, true)->Name("verdict/busy_host")->Apply(calls);
BENCHMARK_CAPTURE(BM_token, busy, true)->Name("token/busy_host")->Apply(calls);
BENCHMARK(BM_idle)->Name("idle")->Iterations(10)->Apply(calls);

}  // namespace
