// SPDX-License-Identifier: Apache-2.0
// A build without RE2 (Q3G_WITH_RE2): tokenizers with the published pattern load, others say what is missing.
#include <string>

#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

TEST_CASE("without RE2: the published pattern needs none") {
  const Tokenizer tokenizer = test::JsonParts().load().value();
  CHECK(tokenizer.encode("abc a").value() == std::vector<TokenId>{257, 259});
}

TEST_CASE("without RE2: another pattern is an error that names RE2") {
  test::JsonParts parts;
  parts.pre_tokenizer = test::split_by("x+");
  const auto loaded = parts.load();
  REQUIRE_FALSE(loaded.ok());
  CHECK(loaded.error().code == ErrorCode::unsupported_model);
  CHECK(loaded.error().detail.find("needs RE2") != std::string::npos);
}
