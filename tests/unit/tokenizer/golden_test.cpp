// SPDX-License-Identifier: Apache-2.0
#include <simdjson.h>

#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

namespace {

std::vector<TokenId> ids_of(simdjson::dom::element row, const char* key) {
  std::vector<TokenId> ids;
  for (const auto id : simdjson::dom::array(row[key])) ids.push_back(static_cast<TokenId>(std::int64_t(id)));
  return ids;
}

/// Number of lines that were compared.
int check_goldens(const Tokenizer& tokenizer, const std::string& golden) {
  simdjson::dom::parser parser;
  std::ifstream in(golden);
  int n = 0;
  for (std::string line; std::getline(in, line); ++n) {
    const simdjson::dom::element row = parser.parse(line);
    const std::string text{std::string_view(row["text"])};
    CAPTURE(golden, n, text);
    CHECK(tokenizer.encode(text, SpecialTokens::recognized).value() == ids_of(row, "ids"));
    simdjson::dom::element unused;
    if (row["ids_no_special"].get(unused) == simdjson::SUCCESS)
      CHECK(tokenizer.encode(text, SpecialTokens::as_text).value() == ids_of(row, "ids_no_special"));
  }
  return n;
}

}  // namespace

TEST_CASE("golden: the small tokenizer equals the reference in every file form", "[tokenizer]") {
  for (const char* name : {"tokenizer.json", "tokenizer_merges_as_strings.json", "two_files"}) {
    CAPTURE(name);
    const auto tokenizer = Tokenizer::load(test::small_path(name));
    REQUIRE(tokenizer.ok());
    CHECK(check_goldens(*tokenizer, test::small_path("golden.jsonl")) == 315);
  }
}

TEST_CASE("golden: the published vocabulary equals the reference on 577 strings", "[tokenizer]") {
  const std::string path = test::qwen3_path();
  if (path.empty()) Q3G_SKIP(test::kNoQwen3);
  const auto tokenizer = Tokenizer::load(path).value();
  CHECK(tokenizer.vocab_size() == 151669);
  CHECK(check_goldens(tokenizer,
                      std::string(Q3G_TEST_DIR) + "/golden/tokenizer/qwen3_tokenizer_golden.jsonl") == 577);
}

TEST_CASE("golden: the published vocabulary's ids by name", "[tokenizer]") {
  const std::string path = test::qwen3_path();
  if (path.empty()) Q3G_SKIP(test::kNoQwen3);
  const auto tokenizer = Tokenizer::load(path).value();
  CHECK(tokenizer.find_added("<|im_start|>") == 151644);
  CHECK(tokenizer.find_added("<|im_end|>") == 151645);
  CHECK(tokenizer.is_special(151645));
  REQUIRE(tokenizer.find_added("<think>").has_value());
  CHECK_FALSE(tokenizer.is_special(*tokenizer.find_added("<think>")));
  CHECK(tokenizer.find_bytes("Hello") == 9707);
  CHECK(tokenizer.encode("<|im_end|>", SpecialTokens::recognized).value() == std::vector<TokenId>{151645});
  CHECK(tokenizer.encode("<|im_end|>").value().size() > 1);
}
