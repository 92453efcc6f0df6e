// SPDX-License-Identifier: Apache-2.0
#include "util/output_file.hpp"

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
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#endif

using namespace qwen3guard::detail;
using qwen3guard::ErrorCode;
namespace fs = std::filesystem;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

std::string read_all(const std::string& path) {
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
  CHECK(read_all(folder / "out") == "headbody-tail");
  CHECK(folder.n_files() == 1);
}

TEST_CASE("output file: what it replaces can be removed ahead", "[util]") {
  const q3g_test::TemporaryFolder folder;
  std::ofstream(folder / "out") << "old";
  auto file = OutputFile::create(folder / "out", true);
  REQUIRE(file.ok());
  CHECK(file->remove_replaced().ok());
  CHECK_FALSE(fs::exists(folder / "out"));
  CHECK(file->remove_replaced().ok());
  fs::create_directory(folder / "out");
  CHECK(file->remove_replaced().error().code == ErrorCode::io_error);
  CHECK(fs::exists(folder / "out"));
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
  CHECK(read_all(folder / "out") == "old");
  auto file = OutputFile::create(folder / "out", true);
  REQUIRE(file.ok());
  CHECK(file->write(bytes_of("new")).ok());
  CHECK(read_all(folder / "out") == "old");
  CHECK(file->commit().ok());
  CHECK(read_all(folder / "out") == "new");
}

TEST_CASE("output file: a file that came meanwhile is not replaced", "[util]") {
  const q3g_test::TemporaryFolder folder;
  auto file = OutputFile::create(folder / "out", false);
  REQUIRE(file.ok());
  std::ofstream(folder / "out") << "other";
  CHECK_FALSE(file->commit().ok());
  CHECK(read_all(folder / "out") == "other");
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
    REQUIRE(read_all(folder / "out") == std::to_string(last));
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

TEST_CASE("output file: what killed writers left is removed by the next one", "[util]") {
  const q3g_test::TemporaryFolder folder;
  for (int i = 0; i < 120; ++i) std::ofstream(folder / ("out.partial-" + std::to_string(i))) << "left";
  std::ofstream(folder / "out.partial-4294967296123") << "left";
  const std::vector<std::string> others = {"out.partial-",    "out.partial-1x", "out.partial",
                                           "other.partial-0", "xout.partial-0", "out.partial-0.txt"};
  for (const std::string& name : others) std::ofstream(folder / name) << "theirs";
  fs::create_directory(folder / "out.partial-500");
  {
    auto file = OutputFile::create(folder / "out", false);
    REQUIRE(file.ok());
    CHECK(folder.n_files() == others.size() + 2);
    CHECK(file->write(bytes_of("new")).ok());
    CHECK(file->commit().ok());
  }
  CHECK(read_all(folder / "out") == "new");
  CHECK(folder.n_files() == others.size() + 2);
  for (const std::string& name : others) CHECK(read_all(folder / name) == "theirs");
}

TEST_CASE("output file: the file of a writer that lives is left alone", "[util]") {
  const q3g_test::TemporaryFolder folder;
  auto first = OutputFile::create(folder / "out", true);
  REQUIRE(first.ok());
  CHECK(first->write(bytes_of("first")).ok());
  auto second = OutputFile::create(folder / "out", true);
  REQUIRE(second.ok());
  CHECK(first->partial_path() != second->partial_path());
  CHECK(folder.n_files() == 2);
  CHECK(second->write(bytes_of("second")).ok());
  CHECK(second->commit().ok());
  CHECK(read_all(folder / "out") == "second");
  CHECK(first->commit().ok());
  CHECK(read_all(folder / "out") == "first");
  CHECK(folder.n_files() == 1);
}

TEST_CASE("output file: one for a moment can be read under its temporary name", "[util]") {
  const q3g_test::TemporaryFolder folder;
  {
    auto file = OutputFile::create(folder / "out", false);
    REQUIRE(file.ok());
    CHECK(file->write(bytes_of("for a moment")).ok());
    CHECK(file->keep_partial().ok());
    CHECK(read_all(file->partial_path()) == "for a moment");
    CHECK_FALSE(fs::exists(folder / "out"));
  }
  CHECK(folder.n_files() == 0);
}

#ifndef _WIN32
TEST_CASE("output file: a process that was killed leaves nothing for long", "[util]") {
  const q3g_test::TemporaryFolder folder;
  int ready[2] = {};
  REQUIRE(pipe(ready) == 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto file = OutputFile::create(folder / "out", false);
    const char byte = file.ok() ? 'y' : 'n';
    if (write(ready[1], &byte, 1) == 1) pause();
    _exit(1);
  }
  REQUIRE(child > 0);
  char byte = 0;
  REQUIRE(read(ready[0], &byte, 1) == 1);
  CHECK(byte == 'y');
  CHECK(folder.n_files() == 1);
  CHECK(OutputFile::create(folder / "out", false).ok());
  CHECK(folder.n_files() == 1);  // the child's
  CHECK(kill(child, SIGKILL) == 0);
  CHECK(waitpid(child, nullptr, 0) == child);
  close(ready[0]);
  close(ready[1]);
  CHECK(folder.n_files() == 1);
  CHECK(OutputFile::create(folder / "out", false).ok());
  CHECK(folder.n_files() == 0);
}
#endif

TEST_CASE("output file: many writers of one name do not take each other's files", "[util][threads]") {
  constexpr int kWriters = 4, kRounds = 60;
  const q3g_test::TemporaryFolder folder;
  std::atomic<int> n_failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < kWriters; ++i) {
    threads.emplace_back([&, i] {
      for (int round = 0; round < kRounds; ++round) {
        auto file = OutputFile::create(folder / "out", true);
        const bool written = file.ok() && file->write(bytes_of(std::to_string(i))).ok();
        const bool committed = written && round % 2 == 0 && file->commit().ok();
#ifdef _WIN32
        // There, a name that another writer takes at this very moment is not replaced: an error, and no loss.
        if (!written) ++n_failed;
        static_cast<void>(committed);
#else
        if (!written || (round % 2 == 0 && !committed)) ++n_failed;
#endif
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(n_failed == 0);
  CHECK(folder.n_files() == 1);
  CHECK(read_all(folder / "out").size() == 1);
}
