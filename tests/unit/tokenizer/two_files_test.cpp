// SPDX-License-Identifier: Apache-2.0
#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

namespace {

const std::string& vocabulary() {
  static const std::string text = "{" + test::byte_vocabulary() + R"(,"ab":256,"abc":257})";
  return text;
}

void check_error(const Result<Tokenizer>& result, ErrorCode code, const std::string& words) {
  REQUIRE_FALSE(result.ok());
  CAPTURE(words, result.error().detail);
  CHECK(result.error().code == code);
  CHECK(result.error().detail.find(words) != std::string::npos);
}

constexpr auto kBad = ErrorCode::bad_tokenizer;

}  // namespace

TEST_CASE("two files: vocab.json and merges.txt, with and without added tokens", "[tokenizer]") {
  const auto plain =
      test::load_from({{"vocab.json", vocabulary()}, {"merges.txt", "#version: 0.2\r\na b\r\n\nab c"}});
  REQUIRE(plain.ok());
  CHECK(plain->encode("abc<t>").value() == std::vector<TokenId>{257, '<', 't', '>'});
  CHECK(plain->encode("e\xCC\x81").value() == std::vector<TokenId>{0xC3, 0xA9});  // NFC is assumed
  const auto added = test::load_from(
      {{"vocab.json", vocabulary()},
       {"merges.txt", "a b\nab c\n"},
       {"tokenizer_config.json", R"({"added_tokens_decoder":{"258":{"content":"<t>","special":true}}})"}});
  REQUIRE(added.ok());
  CHECK(added->encode("abc<t>", SpecialTokens::recognized).value() == std::vector<TokenId>{257, 258});
  CHECK(added->is_special(258));
}

TEST_CASE("two files: tokenizer.json goes first", "[tokenizer]") {
  const auto both = test::load_from({{"vocab.json", "{"}, {"tokenizer.json", test::JsonParts().json()}});
  CHECK(both.ok());
}

TEST_CASE("two files: a '#version' that is no first line is a merge", "[tokenizer]") {
  check_error(test::load_from({{"vocab.json", vocabulary()}, {"merges.txt", "a b\n#version: 0.2\n"}}), kBad,
              "merges.txt: line 2: \"#version:\" is no token");
}

TEST_CASE("two files: errors name the file and the place", "[tokenizer]") {
  const std::string merges = "a b\n";
  check_error(test::load_from({{"vocab.json", vocabulary()}}), ErrorCode::file_not_found, "merges.txt");
  check_error(test::load_from({{"vocab.json", "["}, {"merges.txt", merges}}), kBad, "vocab.json");
  check_error(test::load_from({{"vocab.json", "[]"}, {"merges.txt", merges}}), kBad, "not an object");
  check_error(test::load_from({{"vocab.json", R"({"a":null})"}, {"merges.txt", merges}}), kBad,
              "\"a\" has no integer id");
  check_error(test::load_from({{"vocab.json", R"({"a":-1})"}, {"merges.txt", merges}}), kBad, "\"a\": id -1");
  check_error(test::load_from({{"vocab.json", R"({"a":1})"}, {"merges.txt", merges}}), kBad, "single byte 0");
  check_error(test::load_from({{"vocab.json", vocabulary()}, {"merges.txt", "a b\nb a\n"}}), kBad,
              "merges.txt: line 2");
  check_error(test::load_from({{"vocab.json", vocabulary()}, {"merges.txt", "a b\n\xFF\xC0 a\n"}}), kBad,
              "line 2");
  check_error(test::load_from({{"vocab.json", vocabulary()}, {"merges.txt", "ab\n"}}), kBad,
              "not two tokens");
}

TEST_CASE("two files: errors of the added tokens", "[tokenizer]") {
  const auto load = [](const char* config) {
    return test::load_from(
        {{"vocab.json", vocabulary()}, {"merges.txt", "a b\n"}, {"tokenizer_config.json", config}});
  };
  CHECK(load("{}").ok());
  CHECK(load(R"({"added_tokens_decoder":null})").ok());
  check_error(load("7"), kBad, "tokenizer_config.json: the top level");
  check_error(load(R"({"added_tokens_decoder":[]})"), kBad, "added_tokens_decoder is not an object");
  check_error(load(R"({"added_tokens_decoder":{"x":{"content":"<t>"}}})"), kBad, "the key is not an id");
  check_error(load(R"({"added_tokens_decoder":{"99999999999999999999":{"content":"<t>"}}})"), kBad,
              "the key is not an id");
  check_error(load(R"({"added_tokens_decoder":{"-1":{"content":"<t>"}}})"), kBad, "not in [0,");
  check_error(load(R"({"added_tokens_decoder":{"258":7}})"), kBad, "content is missing");
  check_error(load(R"({"added_tokens_decoder":{"5":{"content":"<t>"}}})"), kBad, "id 5 is taken");
}
