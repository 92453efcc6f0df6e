// SPDX-License-Identifier: Apache-2.0
#include "util/thread_team.hpp"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"

#ifndef _WIN32
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __SANITIZE_THREAD__
#define Q3G_THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define Q3G_THREAD_SANITIZER
#endif
#endif

using namespace qwen3guard::detail;

namespace {

/// True when every item of a loop was run exactly once, and its writes are visible.
bool runs_each_once(ThreadTeam& team, std::size_t n_items) {
  std::vector<int> counts(n_items, 0);
  team.run(n_items, [&](std::size_t i) { ++counts[i]; });
  for (const int n : counts) {
    if (n != 1) return false;
  }
  return true;
}

#ifndef _WIN32
/// Runs a loop that ends when all threads of the team are in it, so that none is still starting when the
/// process forks: a thread that starts may hold a lock of the sanitizers' allocator, which the child would
/// wait for. False when a thread has not come after a minute.
bool all_have_come(ThreadTeam& team) {
  const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  std::atomic<int> n_inside{0};
  team.run(static_cast<std::size_t>(team.n_threads()), [&](std::size_t) {
    ++n_inside;
    while (n_inside < team.n_threads() && std::chrono::steady_clock::now() < end) std::this_thread::yield();
  });
  return n_inside == team.n_threads() && std::chrono::steady_clock::now() < end;
}
#endif

}  // namespace

TEST_CASE("thread team: every item exactly once", "[threads]") {
  for (const int n_threads : {-3, 0, 1, 2, 3, 8}) {
    ThreadTeam team(n_threads);
    CHECK(team.n_threads() == (n_threads > 1 ? n_threads : 1));
    bool good = true;
    for (const std::size_t n_items : {0UL, 1UL, 2UL, 3UL, 17UL, 1000UL})
      good = runs_each_once(team, n_items) && good;
    INFO(n_threads);
    CHECK(good);
  }
}

TEST_CASE("thread team: thousands of tiny loops, inside and outside of calls", "[threads]") {
  ThreadTeam team(4);
  bool good = true;
  for (int round = 0; round < 3; ++round) {
    const ThreadTeam::Call call(team);
    for (std::size_t i = 0; i < 2000; ++i) good = runs_each_once(team, i % 7) && good;
  }
  for (std::size_t i = 0; i < 500; ++i) good = runs_each_once(team, i % 7) && good;
  CHECK(good);
}

TEST_CASE("thread team: loops from many threads at once, and loops inside loops", "[threads]") {
  ThreadTeam team(3);
  std::atomic<int> n_bad{0}, n_inner{0};
  std::vector<std::thread> hosts;
  for (int t = 0; t < 8; ++t) {
    hosts.emplace_back([&] {
      const ThreadTeam::Call call(team);
      for (std::size_t i = 0; i < 300; ++i) n_bad += runs_each_once(team, 1 + i % 5) ? 0 : 1;
    });
  }
  for (std::thread& host : hosts) host.join();
  team.run(10, [&](std::size_t) { team.run(10, [&](std::size_t) { ++n_inner; }); });
  CHECK(n_bad == 0);
  CHECK(n_inner == 100);
}

#ifdef _OPENMP
TEST_CASE("thread team: inside a host that uses OpenMP", "[threads]") {
  ThreadTeam team(2);
  std::atomic<int> n_bad{0};
#pragma omp parallel for num_threads(4)
  for (int i = 0; i < 200; ++i) n_bad += runs_each_once(team, 9) ? 0 : 1;
  CHECK(n_bad == 0);
}
#endif

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
    CHECK(runs_each_once(team, 100));
  }
  const double before = cpu_ms();
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  CHECK(cpu_ms() - before < 100);  // three spinning workers would take up to 1500
}

TEST_CASE("thread team: the child of a fork works alone", "[threads]") {
  auto team = std::make_unique<ThreadTeam>(3);
  REQUIRE(all_have_come(*team));
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

#ifndef Q3G_THREAD_SANITIZER  // which refuses to start threads in the child of a process with threads
TEST_CASE("thread team: a child of a fork keeps its own threads when the team ends", "[threads]") {
  auto team = std::make_unique<ThreadTeam>(4);
  REQUIRE(all_have_come(*team));
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

TEST_CASE("processors that a quota allows", "[threads]") {
  CHECK(processors_of_cpu_max("max 100000\n") == 0);
  CHECK(processors_of_cpu_max("100000 100000") == 1);
  CHECK(processors_of_cpu_max("150000 100000\n") == 2);
  CHECK(processors_of_cpu_max("1000 100000") == 1);
  CHECK(processors_of_cpu_max("99999999999 1") == 1024);
  for (const char* bad : {"", " ", "100000", "x 100000", "-5 100000", "100000 0", "100000 y"}) {
    INFO(bad);
    CHECK(processors_of_cpu_max(bad) == 0);
  }
  CHECK(default_n_threads() >= 1);
  CHECK(default_n_threads() <= kMaxThreads);
}

TEST_CASE("threads that may be asked for", "[threads]") {
  for (const std::int32_t good : {0, 1, kMaxThreads}) CHECK(check_n_threads(good).ok());
  for (const std::int32_t bad : {-1, kMaxThreads + 1}) {
    const qwen3guard::Status refused = check_n_threads(bad);
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().code == qwen3guard::ErrorCode::invalid_argument);
    CHECK(refused.error().detail ==
          "options.n_threads: " + std::to_string(bad) + "; expected 0 (automatic) to 1024");
  }
}

TEST_CASE("processors that control groups allow", "[threads]") {
  const q3g_test::TemporaryFolder root;
  const auto put = [&](const std::string& name, const std::string& text) {
    std::filesystem::create_directories(std::filesystem::path(root / name).parent_path());
    std::ofstream(root / name) << text;
  };
  const std::string groups = "proc/self/cgroup", tree = "sys/fs/cgroup";
  const auto n = [&] { return processors_of_cgroups(root / ""); };
  CHECK(n() == 0);
  // Version 2: the lowest of the own group and all above it.
  put(groups, "0::/system.slice/docker-1.scope/job\n");
  CHECK(n() == 0);
  put(tree + "/cpu.max", "max 100000\n");
  put(tree + "/system.slice/cpu.max", "800000 100000\n");
  put(tree + "/system.slice/docker-1.scope/cpu.max", "max 100000\n");
  CHECK(n() == 8);
  put(tree + "/system.slice/docker-1.scope/cpu.max", "150000 100000\n");
  CHECK(n() == 2);
  put(tree + "/system.slice/docker-1.scope/job/cpu.max", "300000 100000\n");
  CHECK(n() == 2);
  put(tree + "/system.slice/docker-1.scope/job/cpu.max", "50000 100000\n");
  CHECK(n() == 1);
  put(tree + "/system.slice/other/cpu.max", "1000 100000\n");  // somebody else's
  put(tree + "/system.slice/docker-1.scope/job/cpu.max", "garbage");
  CHECK(n() == 2);
  // Inside a container the path may be the host's, and only the top is there; or lead out of it.
  put(tree + "/cpu.max", "400000 100000\n");
  for (const char* path : {"0::/kubepods/pod9/x\n", "0::/../../a\n", "0::/\n", "0::/", ""}) {
    INFO(path);
    put(groups, path);
    CHECK(n() == 4);
  }
  // Version 1, alone and beside version 2.
  std::filesystem::remove(root / (tree + "/cpu.max"));
  put(groups, "12:pids:/a\n4:cpu,cpuacct:/a/b\n3:cpuset:/a\n1:name=systemd:/a\n0::/a\n");
  CHECK(n() == 0);
  for (const std::string mount : {"/cpu", "/cpu,cpuacct"}) {
    INFO(mount);
    put(tree + mount + "/cpu.cfs_quota_us", "-1\n");
    put(tree + mount + "/cpu.cfs_period_us", "100000\n");
    put(tree + mount + "/a/cpu.cfs_quota_us", "250000\n");
    put(tree + mount + "/a/cpu.cfs_period_us", "100000\n");
    CHECK(n() == 3);
    put(tree + mount + "/a/b/cpu.cfs_quota_us", "200000\n");
    put(tree + mount + "/a/b/cpu.cfs_period_us", "100000\n");
    CHECK(n() == 2);
  }
  put(tree + "/cpuset/a/cpu.cfs_quota_us", "1\n");  // no such controller
  put(tree + "/cpuset/a/cpu.cfs_period_us", "1\n");
  CHECK(n() == 2);
  put(tree + "/unified/a/cpu.max", "100000 100000\n");
  CHECK(n() == 1);
  for (const char* bad : {"\n\n", ":", "::", "1:cpu", "x", "0::"}) {
    put(groups, bad);
    CHECK(n() == 0);
  }
}
