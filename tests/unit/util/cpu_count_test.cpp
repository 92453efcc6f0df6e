// SPDX-License-Identifier: Apache-2.0
#include "util/cpu_count.hpp"

#include <filesystem>
#include <fstream>
#include <string>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"

using namespace qwen3guard::detail;

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
