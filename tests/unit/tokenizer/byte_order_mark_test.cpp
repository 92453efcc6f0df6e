// SPDX-License-Identifier: Apache-2.0
#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

TEST_CASE("a byte order mark in front of a tokenizer's file is skipped", "[tokenizer]") {
  const std::string mark = "\xEF\xBB\xBF";
  const auto json = test::load_from({{"tokenizer.json", mark + test::JsonParts().json()}});
  REQUIRE(json.ok());
  CHECK(json->encode("abc").value() == std::vector<TokenId>{257});
  for (const std::string merges : {"#version: 0.2\na b\nab c\n", "a b\nab c\n"}) {
    const auto two = test::load_from(
        {{"vocab.json", mark + "{" + test::byte_vocabulary() + R"(,"ab":256,"abc":257})"},
         {"merges.txt", mark + merges},
         {"tokenizer_config.json", mark + R"({"added_tokens_decoder":{"258":{"content":"<t>"}}})"}});
    REQUIRE(two.ok());
    CHECK(two->encode("abc<t>").value() == std::vector<TokenId>{257, 258});
  }
  // Once, and nowhere else.
  CHECK_FALSE(test::load_from({{"tokenizer.json", mark + mark + test::JsonParts().json()}}).ok());
}
