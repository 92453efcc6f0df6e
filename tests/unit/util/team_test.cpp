// SPDX-License-Identifier: Apache-2.0
// What the rest of the library counts on, whatever runs its loops: of all kinds of teams that this build has.
#include <atomic>
#include <memory>
#include <thread>
#include <tuple>
#include <vector>

#include "q3g_catch.hpp"
#include "team_loops.hpp"
#include "util/workers.hpp"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace qwen3guard::detail;
using q3g_test::runs_each_once;

namespace {

#if defined(Q3G_PARALLEL_OPENMP)
using Teams = std::tuple<NoTeam, ThreadTeam, OpenMpTeam>;
#elif defined(Q3G_PARALLEL_NONE)
using Teams = std::tuple<NoTeam>;
#else
using Teams = std::tuple<NoTeam, ThreadTeam>;
#endif

}  // namespace

TEMPLATE_LIST_TEST_CASE("team: every item exactly once", "[threads]", Teams) {
  for (const int n_threads : {-3, 0, 1, 2, 3, 8}) {
    TestType team(n_threads);
    CHECK(team.n_threads() >= 1);
    if (n_threads > 0) CHECK(team.n_threads() <= n_threads);
    bool good = true;
    for (const std::size_t n_items : {0UL, 1UL, 2UL, 3UL, 17UL, 1000UL})
      good = runs_each_once(team, n_items) && good;
    INFO(n_threads);
    CHECK(good);
  }
}

TEMPLATE_LIST_TEST_CASE("team: thousands of tiny loops, inside and outside of calls", "[threads]", Teams) {
  TestType team(4);
  bool good = true;
  for (int round = 0; round < 3; ++round) {
    const typename TestType::Call call(team);
    for (std::size_t i = 0; i < 2000; ++i) good = runs_each_once(team, i % 7) && good;
  }
  for (std::size_t i = 0; i < 500; ++i) good = runs_each_once(team, i % 7) && good;
  CHECK(good);
}

TEMPLATE_LIST_TEST_CASE("team: loops from many threads at once, and loops inside loops", "[threads]", Teams) {
  TestType team(3);
  std::atomic<int> n_bad{0}, n_inner{0};
  std::vector<std::thread> hosts;
  for (int t = 0; t < 8; ++t) {
    hosts.emplace_back([&] {
      const typename TestType::Call call(team);
      for (std::size_t i = 0; i < 300; ++i) n_bad += runs_each_once(team, 1 + i % 5) ? 0 : 1;
    });
  }
  for (std::thread& host : hosts) host.join();
  team.run(10, [&](std::size_t) { team.run(10, [&](std::size_t) { ++n_inner; }); });
  CHECK(n_bad == 0);
  CHECK(n_inner == 100);
}

#ifdef _OPENMP
TEMPLATE_LIST_TEST_CASE("team: inside a host that uses OpenMP", "[threads]", Teams) {
  TestType team(2);
  std::atomic<int> n_bad{0};
#pragma omp parallel for num_threads(4)
  for (int i = 0; i < 200; ++i) n_bad += runs_each_once(team, 9) ? 0 : 1;
  CHECK(n_bad == 0);
}
#endif

#ifndef _WIN32
TEMPLATE_LIST_TEST_CASE("team: the child of a fork works alone", "[threads]", Teams) {
  auto team = std::make_unique<TestType>(3);
  REQUIRE(q3g_test::all_have_come(*team));
  const pid_t child = fork();
  if (child == 0) {
    const bool good = runs_each_once(*team, 50);
    team.reset();
    _exit(good ? 0 : 1);
  }
  REQUIRE(child > 0);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(runs_each_once(*team, 50));
}
#endif

TEST_CASE("workers: a build has one kind of team", "[threads]") {
  Team team(2);
  const Workers workers(&team), alone;
  CHECK(workers.n_threads() == team.n_threads());
  CHECK(alone.n_threads() == 1);
  for (const Workers& each : {workers, alone}) {
    std::vector<int> counts(40, 0);
    each.run(counts.size(), kMinParallelWork, [&](std::size_t i) { ++counts[i]; });
    CHECK(counts == std::vector<int>(40, 1));
  }
#ifdef Q3G_PARALLEL_NONE
  CHECK(team.n_threads() == 1);
#endif
}
