// SPDX-License-Identifier: Apache-2.0
#include <cmath>
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

TEST_CASE("policy: without thresholds the severity decides", "[policy]") {
  const SeverityProbabilities p = {0.2F, 0.5F, 0.3F};
  const ActionPolicy strict{Mode::strict, {}, {}}, loose{Mode::loose, {}, {}};
  // What was not judged is never allowed, whatever the thresholds and the probabilities beside it.
  CHECK(Action() == Action::none);
  CHECK(Severity() == Severity::not_judged);
  for (const ActionPolicy& any : {strict, loose, ActionPolicy{Mode::strict, 0.9F, 1.0F}})
    CHECK(decide_action(any, Severity::not_judged, {1, 0, 0}) == Action::none);
  CHECK(std::string(to_string(Action::none)) == "none");
  CHECK(std::string(to_string(Severity::not_judged)) == "not judged");
  CHECK_FALSE(parse_severity("not judged").has_value());
  CHECK(SeverityProbabilities{1, 0, 0}[Severity::not_judged] == 0);
  CHECK(decide_action(strict, Severity::safe, p) == Action::allow);
  CHECK(decide_action(strict, Severity::controversial, p) == Action::block);
  CHECK(decide_action(strict, Severity::unsafe, p) == Action::block);
  CHECK(decide_action(loose, Severity::safe, p) == Action::allow);
  CHECK(decide_action(loose, Severity::controversial, p) == Action::flag);
  CHECK(decide_action(loose, Severity::unsafe, p) == Action::block);
}

TEST_CASE("policy: thresholds act on the mode's score", "[policy]") {
  const SeverityProbabilities p = {0.25F, 0.5F, 0.25F};
  CHECK(decide_action({Mode::strict, 0.5F, 0.75F}, Severity::safe, p) == Action::block);  // 0.75 reaches 0.75
  CHECK(decide_action({Mode::strict, 0.5F, 0.8F}, Severity::safe, p) == Action::flag);
  CHECK(decide_action({Mode::loose, 0.5F, 0.8F}, Severity::unsafe, p) == Action::allow);
  CHECK(decide_action({Mode::loose, 0.25F, {}}, Severity::unsafe, p) == Action::flag);
  CHECK(decide_action({Mode::loose, {}, 0.25F}, Severity::safe, p) == Action::block);
  CHECK(decide_action({Mode::loose, {}, 0.0F}, Severity::safe, {1, 0, 0}) == Action::block);
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
