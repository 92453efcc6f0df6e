// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/util/output_file.hpp"

#include <atomic>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"

#ifndef _WIN32
#include <sys/resource.h>

#include <csignal>
#endif

using namespace qwen3guard::detail;
using qwen3guard::ErrorCode;
namespace fs = std::filesystem;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string read(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

}  // namespace

TEST_CASE("output file: appears complete under its name", "[util]") {
  const q3g_test::TemporaryFolder folder;
  {
    auto file = OutputFile::create(folder / "out", false);
    REQUIRE(file.ok());
    CHECK(file->write(bytes_of("....body")).ok());
    CHECK(file->rewrite_start(bytes_of("head")).ok());
    CHECK(file->write(bytes_of("-tail")).ok());
    CHECK_FALSE(fs::exists(folder / "out"));
    OutputFile moved = *std::move(file);
    CHECK(moved.commit().ok());
  }
  CHECK(read(folder / "out") == "headbody-tail");
  CHECK(folder.n_files() == 1);
}

#ifndef _WIN32
TEST_CASE("output file: a symbolic link that leads nowhere is not replaced", "[util]") {
  const q3g_test::TemporaryFolder folder;
  fs::create_symlink("nowhere", folder / "out");
  for (const bool overwrite : {false, true}) {
    const auto file = OutputFile::create(folder / "out", overwrite);
    REQUIRE_FALSE(file.ok());
    CHECK(file.error().code == ErrorCode::io_error);
  }
  CHECK(fs::is_symlink(folder / "out"));
  CHECK(folder.n_files() == 1);
}
#endif

TEST_CASE("output file: nothing is left without a commit", "[util]") {
  const q3g_test::TemporaryFolder folder;
  {
    auto file = OutputFile::create(folder / "out", false);
    REQUIRE(file.ok());
    CHECK(file->write(bytes_of("half")).ok());
    CHECK(folder.n_files() == 1);
  }
  CHECK(folder.n_files() == 0);
}

TEST_CASE("output file: an existing file is replaced on request only", "[util]") {
  const q3g_test::TemporaryFolder folder;
  std::ofstream(folder / "out") << "old";
  const auto refused = OutputFile::create(folder / "out", false);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::io_error);
  CHECK(refused.error().detail.find("exists") != std::string::npos);
  CHECK(read(folder / "out") == "old");
  auto file = OutputFile::create(folder / "out", true);
  REQUIRE(file.ok());
  CHECK(file->write(bytes_of("new")).ok());
  CHECK(read(folder / "out") == "old");
  CHECK(file->commit().ok());
  CHECK(read(folder / "out") == "new");
}

TEST_CASE("output file: a file that came meanwhile is not replaced", "[util]") {
  const q3g_test::TemporaryFolder folder;
  auto file = OutputFile::create(folder / "out", false);
  REQUIRE(file.ok());
  std::ofstream(folder / "out") << "other";
  CHECK_FALSE(file->commit().ok());
  CHECK(read(folder / "out") == "other");
}

#ifdef __linux__
TEST_CASE("output file: of several that are finished at once, one gets the name", "[util][threads]") {
  constexpr int kRounds = 50, kWriters = 4;
  for (int round = 0; round < kRounds; ++round) {
    const q3g_test::TemporaryFolder folder;
    std::vector<OutputFile> files;
    for (int i = 0; i < kWriters; ++i) {
      files.push_back(OutputFile::create(folder / "out", false).value());
      REQUIRE(files.back().write(bytes_of(std::to_string(i))).ok());
    }
    std::atomic<int> n_ready{0}, n_done{0}, last{-1};
    std::vector<std::thread> threads;
    for (int i = 0; i < kWriters; ++i) {
      threads.emplace_back([&, i] {
        for (++n_ready; n_ready < kWriters;) std::this_thread::yield();
        if (!files[static_cast<std::size_t>(i)].commit().ok()) return;
        ++n_done;
        last = i;
      });
    }
    for (std::thread& thread : threads) thread.join();
    files.clear();
    REQUIRE(n_done == 1);
    REQUIRE(read(folder / "out") == std::to_string(last));
    REQUIRE(folder.n_files() == 1);
  }
}
#endif

TEST_CASE("output file: names that cannot be had", "[util]") {
  const q3g_test::TemporaryFolder folder;
  fs::create_directory(folder / "sub");
  for (const bool overwrite : {false, true}) {
    CHECK_FALSE(OutputFile::create(folder / "sub", overwrite).ok());
    CHECK_FALSE(OutputFile::create(folder / "absent/out", overwrite).ok());
    CHECK_FALSE(OutputFile::create("", overwrite).ok());
    CHECK_FALSE(OutputFile::create(std::string("a\0b", 3), overwrite).ok());
#ifdef __linux__
    CHECK_FALSE(OutputFile::create("/dev/full", overwrite).ok());
#endif
  }
  CHECK(is_same_file(folder / "sub", folder / "sub/../sub"));
  CHECK_FALSE(is_same_file(folder / "sub", folder / "absent"));
}

#ifndef _WIN32
TEST_CASE("output file: a full disk is an error and leaves nothing", "[util]") {
  const q3g_test::TemporaryFolder folder;
  // A limit on the size of files stands in for a disk without room.
  rlimit before{};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  rlimit tight = before;
  tight.rlim_cur = 100000;
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &tight) == 0);
  {
    auto file = OutputFile::create(folder / "out", false);
    const std::string data(1 << 20, 'x');
    const bool failed = file.ok() && (!file->write(bytes_of(data)).ok() || !file->commit().ok());
    setrlimit(RLIMIT_FSIZE, &before);
    std::signal(SIGXFSZ, old_handler);
    CHECK(failed);
  }
  CHECK(folder.n_files() == 0);
}
#endif
