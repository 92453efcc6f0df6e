// SPDX-License-Identifier: Apache-2.0
#include "util/openmp_team.hpp"

#include <omp.h>

#include <atomic>
#include <thread>
#include <vector>

#include "q3g_catch.hpp"
#include "team_loops.hpp"
#include "util/cpu_count.hpp"

#ifndef _WIN32
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace qwen3guard::detail;

namespace {

/// Sets what the host may set, and puts it back.
class HostSettings {
 public:
  HostSettings(int n_threads, int n_levels) {
    omp_set_num_threads(n_threads);
    omp_set_max_active_levels(n_levels);
  }
  HostSettings(const HostSettings&) = delete;
  HostSettings& operator=(const HostSettings&) = delete;
  ~HostSettings() {
    omp_set_num_threads(n_threads_);
    omp_set_max_active_levels(n_levels_);
  }

 private:
  const int n_threads_ = omp_get_max_threads(), n_levels_ = omp_get_max_active_levels();
};

/// The threads of the region that a loop runs in; 1 when it has none of its own.
int n_threads_of_loop(OpenMpTeam& team) {
  const int level = omp_get_active_level();
  std::atomic<int> n{1};
  team.run(5, [&](std::size_t) {
    if (omp_get_active_level() > level) n = omp_get_num_threads();
  });
  return n;
}

}  // namespace

TEST_CASE("openmp team: the host's number of threads, and at most the user's", "[threads]") {
  OpenMpTeam all(0), two(2), many(64), one(1);
  for (const int host : {4, 3, 2, 1}) {
    INFO(host);
    const HostSettings settings(host, 1);
    CHECK(all.n_threads() == host);
    CHECK(two.n_threads() == (host < 2 ? host : 2));
    CHECK(many.n_threads() == host);
    CHECK(one.n_threads() == 1);
    for (OpenMpTeam* team : {&all, &two, &many, &one}) {
      CHECK(n_threads_of_loop(*team) == team->n_threads());
      CHECK(q3g_test::runs_each_once(*team, 100));
    }
  }
  const HostSettings settings(kMaxThreads + 5, 1);
  CHECK(all.n_threads() <= kMaxThreads);
}

TEST_CASE("openmp team: regions within the host's as deep as it lets them be", "[threads]") {
  OpenMpTeam team(0);
  for (const int n_levels : {1, 2}) {
    INFO(n_levels);
    const HostSettings settings(2, n_levels);
    CHECK(n_threads_of_loop(team) == 2);
    // Each of the host's threads calls at once: with two levels, each has a region of its own.
    std::atomic<int> n_bad{0};
#pragma omp parallel num_threads(3)
    {
      const auto caller = std::this_thread::get_id();
      std::atomic<int> n_elsewhere{0};
      for (int round = 0; round < 50; ++round) {
        if (team.n_threads() != (n_levels == 1 ? 1 : 2)) ++n_bad;
        if (n_threads_of_loop(team) != team.n_threads()) ++n_bad;
        if (!q3g_test::runs_each_once(team, 20)) ++n_bad;
        team.run(4, [&](std::size_t) { n_elsewhere += std::this_thread::get_id() == caller ? 0 : 1; });
      }
      if (n_levels == 1 && n_elsewhere != 0) ++n_bad;
    }
    CHECK(n_bad == 0);
  }
  // A host that allows no region at all.
  const HostSettings settings(4, 0);
  CHECK(team.n_threads() == 1);
  CHECK(n_threads_of_loop(team) == 1);
}

TEST_CASE("openmp team: of two callers at once, one has the threads", "[threads]") {
  const HostSettings settings(2, 1);
  OpenMpTeam team(0), other(0);
  std::atomic<int> second{0}, of_other{0};
  std::atomic<bool> is_inside{false};
  std::thread host;
  team.run(2, [&](std::size_t item) {
    if (item != 0 || is_inside.exchange(true)) return;
    host = std::thread([&] {
      omp_set_num_threads(2);
      second = n_threads_of_loop(team);
      of_other = n_threads_of_loop(other);
    });
    host.join();
  });
  CHECK(second == 1);
  CHECK(of_other == 2);
  CHECK(n_threads_of_loop(team) == 2);
}

#ifndef _WIN32
TEST_CASE("openmp team: a new team in the child of a fork does not wait for the parent's threads",
          "[threads]") {
  const HostSettings settings(3, 1);
  OpenMpTeam team(0);
  REQUIRE(q3g_test::all_have_come(team));
  const pid_t child = fork();
  if (child == 0) {
    OpenMpTeam fresh(0);
    _exit(q3g_test::runs_each_once(fresh, 50) && n_threads_of_loop(fresh) == 1 ? 0 : 1);
  }
  REQUIRE(child > 0);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
