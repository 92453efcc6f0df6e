// SPDX-License-Identifier: Apache-2.0
#include "server/operations/keys.hpp"

#include <fstream>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"

using namespace qwen3guard::server;

namespace {

std::string write(const q3g_test::TemporaryFolder& folder, const std::string& text) {
  const std::string path = folder / "keys";
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
  return path;
}

std::string what_of(const std::string& path) {
  try {
    Keys keys(path);
  } catch (const std::runtime_error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("keys: whoever has one is known by its name", "[server]") {
  const q3g_test::TemporaryFolder folder;
  const Keys keys(write(folder, "# ours\r\nalice 0123456789abcdef\r\n\nbob fedcba9876543210\n"));
  CHECK(keys.name_of(key_in({{"Authorization", "Bearer 0123456789abcdef"}})) == "alice");
  CHECK(keys.name_of(key_in({{"authorization", "bearer fedcba9876543210"}})) == "bob");
  CHECK(keys.name_of(key_in({{"x-api-key", "fedcba9876543210"}})) == "bob");
  CHECK(keys.name_of(key_in({{"api-key", "0123456789abcdef"}})) == "alice");
  CHECK(keys.name_of(key_in({{"Ocp-Apim-Subscription-Key", "0123456789abcdef"}})) == "alice");
  CHECK(keys.name_of(key_in({{"X-Goog-Api-Key", "0123456789abcdef"}})) == "alice");
  for (const Headers& headers : std::initializer_list<Headers>{{},
                                                               {{"authorization", "Bearer "}},
                                                               {{"authorization", "Bearer 0123456789abcde"}},
                                                               {{"authorization", "Basic 0123456789abcdef"}},
                                                               {{"authorization", "0123456789abcdef"}}})
    CHECK_FALSE(keys.name_of(key_in(headers)).has_value());
}

TEST_CASE("keys: without a file nobody needs one", "[server]") {
  const Keys keys("");
  CHECK_FALSE(keys.are_wanted());
  CHECK(keys.name_of(key_in({})) == "");
}

TEST_CASE("keys: a file that is wrong says where, and leaves the old keys in their place", "[server]") {
  const q3g_test::TemporaryFolder folder;
  CHECK(what_of(folder / "none").find("cannot be read") != std::string::npos);
  CHECK(what_of(write(folder, "")).find("no key") != std::string::npos);
  for (const char* line : {"alice", " 0123456789abcdef", "alice short", "alice 0123456789 abcdef"})
    CHECK(what_of(write(folder, std::string("# x\n") + line + "\n")).find("line 2: expected a name") !=
          std::string::npos);
  Keys keys(write(folder, "alice 0123456789abcdef\n"));
  write(folder, "alice short\n");
  CHECK_THROWS(keys.reload());
  CHECK(keys.name_of(key_in({{"x-api-key", "0123456789abcdef"}})) == "alice");
}
