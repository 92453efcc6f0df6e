// SPDX-License-Identifier: Apache-2.0
#include <set>
#include <string>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"

using namespace qwen3guard;

TEST_CASE("values: names and parsing are inverse", "[values]") {
  for (const Severity s : {Severity::safe, Severity::controversial, Severity::unsafe}) {
    CHECK(parse_severity(to_string(s)) == s);
  }
  for (int i = 0; i < kCategoryCount; ++i) {
    const auto category = static_cast<Category>(i);
    CAPTURE(i);
    CHECK(parse_category(to_string(category)) == category);
  }
  CHECK(parse_category("Personally Identifiable Information") == Category::pii);
  CHECK_FALSE(parse_category("violent").has_value());
  CHECK_FALSE(parse_category("").has_value());
  CHECK_FALSE(parse_severity("safe").has_value());
}

TEST_CASE("values: severities are ordered by harm", "[values]") {
  CHECK(Severity::safe < Severity::controversial);
  CHECK(Severity::controversial < Severity::unsafe);
}

TEST_CASE("values: an enumerator out of range has a name too", "[values]") {
  CHECK(std::string(to_string(static_cast<Category>(99))) == "unknown");
  CHECK(std::string(to_string(static_cast<Severity>(-1))) == "unknown");
  CHECK(std::string(to_string(static_cast<ErrorCode>(0))) == "unknown");
  CHECK(std::string(to_string(ErrorCode::bad_checkpoint)) == "bad_checkpoint");
}

TEST_CASE("values: what was not judged is neither Safe nor allowed", "[values]") {
  CHECK(Action() == Action::none);
  CHECK(Severity() == Severity::not_judged);
  CHECK(Ruling().action == Action::none);
  CHECK(Ruling().rule == Rule::none);
  CHECK(Verdict().ruling.action == Action::none);
  CHECK(Decision().action == Action::none);
  CHECK(std::string(to_string(Action::none)) == "none");
  CHECK(std::string(to_string(Severity::not_judged)) == "not judged");
  CHECK_FALSE(parse_severity("not judged").has_value());
  CHECK(SeverityProbabilities{1, 0, 0}[Severity::not_judged] == 0);
}

TEST_CASE("values: every rule has a name of its own", "[values]") {
  std::set<std::string> names;
  for (Rule rule = Rule::none; rule <= Rule::not_judged; rule = static_cast<Rule>(static_cast<int>(rule) + 1))
    names.insert(to_string(rule));
  CHECK(names.size() == 8);
  CHECK(names.count("unknown") == 0);
  CHECK(std::string(to_string(Rule::category_off)) == "category_off");
  CHECK(std::string(to_string(static_cast<Rule>(99))) == "unknown");
}

TEST_CASE("result: holds a value or an error", "[values]") {
  const Result<int> good(7);
  CHECK(good.ok());
  CHECK(good.value() == 7);
  const Result<int> bad(Error{ErrorCode::io_error, "disk: gone"});
  CHECK_FALSE(bad.ok());
  CHECK(bad.error().code == ErrorCode::io_error);
  try {
    (void)bad.value();
    FAIL("value() of an error did not throw");
  } catch (const Exception& e) {
    CHECK(e.code() == ErrorCode::io_error);
    CHECK(std::string(e.what()) == "io_error: disk: gone");
  }
  CHECK(Status().ok());
  CHECK_NOTHROW(Status().throw_if_error());
  CHECK_THROWS_AS(Status(Error{}).throw_if_error(), Exception);
}

TEST_CASE("version: header and library agree", "[values]") {
  const std::string expected = std::to_string(QWEN3GUARD_VERSION_MAJOR) + "." +
                               std::to_string(QWEN3GUARD_VERSION_MINOR) + "." +
                               std::to_string(QWEN3GUARD_VERSION_PATCH);
  CHECK(version() == expected);
}
