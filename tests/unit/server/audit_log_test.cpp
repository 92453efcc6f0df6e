// SPDX-License-Identifier: Apache-2.0
#include "server/operations/audit_log.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"
#include "wire/json_text.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

std::string read(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

AuditEntry entry_of(const Ruling& ruling) {
  AuditEntry entry;
  entry.request_id = "req-1";
  entry.model = "m";
  entry.model_digest = "sha256:0";
  entry.severity = Severity::unsafe;
  entry.ruling = &ruling;
  entry.text = "abc";
  return entry;
}

}  // namespace

TEST_CASE("audit log: a line has the text's hash, and the text only where it was asked for", "[server]") {
  const q3g_test::TemporaryFolder folder;
  Ruling ruling;
  ruling.policy_name = "p";
  ruling.policy_version = "7";
  for (const bool with_text : {false, true}) {
    const std::string path = folder / (with_text ? "with" : "without");
    AuditLog(AuditOptions{path, with_text}).write(entry_of(ruling));
    std::string line = read(path);
    REQUIRE(line.ends_with('\n'));
    line.pop_back();
    const auto json = wire::JsonValue::parse(line);
    // SHA-256 of "abc", FIPS 180-2, appendix B.1.
    CHECK(json.find("text_sha256")->text() ==
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    CHECK(json.find("text").has_value() == with_text);
    CHECK(json.find("severity")->text() == "Unsafe");
    CHECK(json.find("ruling")->find("policy")->text() == "p");
    CHECK(json.find("ruling")->find("version")->text() == "7");
  }
}

TEST_CASE("audit log: opened anew, it writes where its name leads now", "[server]") {
  const q3g_test::TemporaryFolder folder;
  const Ruling ruling;
  AuditLog log({folder / "log", false});
  log.write(entry_of(ruling));
  std::filesystem::rename(folder / "log", folder / "old");
  log.write(entry_of(ruling));
  log.reopen();
  log.write(entry_of(ruling));
  const auto n_lines = [](const std::string& text) { return std::count(text.begin(), text.end(), '\n'); };
  CHECK(n_lines(read(folder / "old")) == 2);
  CHECK(n_lines(read(folder / "log")) == 1);
}

TEST_CASE("audit log: what cannot be written is counted", "[server]") {
  if (!std::filesystem::exists("/dev/full")) Q3G_SKIP("no /dev/full here");
  AuditLog log({"/dev/full", false});
  const Ruling ruling;
  log.write(entry_of(ruling));
  CHECK(log.n_lost() == 1);
  CHECK_THROWS(AuditLog({"/nowhere/at/all", false}));
  AuditLog none({"", false});
  none.write(entry_of(ruling));
  CHECK_FALSE(none.is_on());
  CHECK(none.n_lost() == 0);
}
