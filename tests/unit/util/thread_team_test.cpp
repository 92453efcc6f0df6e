// SPDX-License-Identifier: Apache-2.0
#include "util/thread_team.hpp"

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "q3g_catch.hpp"
#include "team_loops.hpp"

#ifndef _WIN32
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

using namespace qwen3guard::detail;

TEST_CASE("thread team: as many threads as are asked for", "[threads]") {
  for (const int n_threads : {1, 2, 7}) CHECK(ThreadTeam(n_threads).n_threads() == n_threads);
  for (const int automatic : {-3, 0}) CHECK(ThreadTeam(automatic).n_threads() == default_n_threads());
}

#ifndef _WIN32
TEST_CASE("thread team: workers burn nothing between calls", "[threads]") {
  const auto cpu_ms = [] {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return 1e3 * static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           1e-3 * static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec);
  };
  ThreadTeam team(4);
  {
    const ThreadTeam::Call call(team);
    CHECK(q3g_test::runs_each_once(team, 100));
  }
  const double before = cpu_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(cpu_ms() - before < 100);  // three spinning workers would take up to 1500
}

#ifndef Q3G_THREAD_SANITIZER  // which refuses to start threads in the child of a process with threads
TEST_CASE("thread team: a child of a fork keeps its own threads when the team ends", "[threads]") {
  auto team = std::make_unique<ThreadTeam>(4);
  REQUIRE(q3g_test::all_have_come(*team));
  const pid_t child = fork();
  if (child == 0) {
    // The system may give the child's threads the handles that the parent's workers have.
    std::atomic<bool> go{false};
    std::vector<std::thread> own;
    for (int i = 0; i < 6; ++i) own.emplace_back([&] { go.wait(false); });
    team.reset();
    go.store(true);
    go.notify_all();
    for (std::thread& thread : own) thread.join();
    _exit(0);
  }
  REQUIRE(child > 0);
  int status = -1;
  waitpid(child, &status, 0);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif
#endif
