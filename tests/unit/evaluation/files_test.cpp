// SPDX-License-Identifier: Apache-2.0
#include "evaluation/files.hpp"

#include "evaluation/append_file.hpp"
#include "q3g_catch.hpp"
#include "temporary_folder.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;

TEST_CASE("AppendFile: what was appended is there, and a tail can be cut off") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = folder / "lines";
  {
    AppendFile file = AppendFile::create(path).value();
    REQUIRE(file.append("one\n").ok());
    REQUIRE(file.append("two\nthr").ok());
    CHECK(read_file(path)->text == "one\ntwo\nthr");  // visible at once
  }
  AppendFile file = AppendFile::open(path).value();
  CHECK(file.read().value() == "one\ntwo\nthr");
  REQUIRE(file.truncate(8).ok());
  REQUIRE(file.append("three\n").ok());
  CHECK(file.read().value() == "one\ntwo\nthree\n");
}

TEST_CASE("AppendFile: one writer at a time, and no file is taken for a new one") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = folder / "lines";
  const auto first = AppendFile::create(path);
  REQUIRE(first.ok());
  const auto second = AppendFile::open(path);
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code == ErrorCode::io_error);
  CHECK(second.error().detail.find("another process") != std::string::npos);
  CHECK(AppendFile::create(path).error().code == ErrorCode::io_error);
  CHECK(AppendFile::open(folder / "missing").error().code == ErrorCode::file_not_found);
  CHECK(AppendFile::create(folder / "no/folder").error().code == ErrorCode::io_error);
  CHECK_FALSE(AppendFile::open(folder / ".").ok());
}

#ifdef __linux__
TEST_CASE("AppendFile: a full disk is an error") {
  auto file = AppendFile::open("/dev/full");
  CHECK_FALSE(file.ok());  // no regular file
}
#endif

TEST_CASE("Files: whole or not at all, and names without folders") {
  const q3g_test::TemporaryFolder folder;
  const std::string path = join(folder / "a/b", "c.d.jsonl");
  CHECK_FALSE(write_file(path, "x", false).ok());
  REQUIRE(make_folder(folder / "a/b").ok());
  REQUIRE(make_folder(folder / "a/b").ok());
  REQUIRE(write_file(path, "x", false).ok());
  CHECK_FALSE(write_file(path, "y", false).ok());
  REQUIRE(write_file(path, "", true).ok());
  CHECK(read_file(path)->text.empty());
  CHECK(read_file(path)->checksum.size() == 16);
  CHECK(exists(path));
  CHECK(check_output(join(folder / "a/b", "new"), false).ok());
  CHECK_FALSE(exists(join(folder / "a/b", "new")));
  CHECK_FALSE(check_output(path, false).ok());
  CHECK(check_output(path, true).ok());
  CHECK(check_output(folder / "none/new", false).error().detail.find("no folder") != std::string::npos);
  CHECK_FALSE(exists(path + "x"));
  CHECK_FALSE(make_folder(path).ok());
  CHECK(stem(path) == "c.d");
  CHECK(read_file(folder / "none").error().code == ErrorCode::file_not_found);
}
