// SPDX-License-Identifier: Apache-2.0
#include "guard/lists/phrase_matcher.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

TEST_CASE("phrases: a build without RE2 refuses them, and nothing else", "[guard]") {
  CHECK(PhraseMatcher::compile({}).ok());
  const auto matcher = PhraseMatcher::compile({{"a"}, {}, {}, false});
  REQUIRE_FALSE(matcher.ok());
  CHECK(matcher.error().code == ErrorCode::unsupported_model);
  CHECK(matcher.error().detail.find("RE2") != std::string::npos);
  CHECK_FALSE(PhraseMatcher::compile({{}, {"a"}, {}, false}).ok());
}
