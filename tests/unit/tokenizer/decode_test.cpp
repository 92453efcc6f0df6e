// SPDX-License-Identifier: Apache-2.0
#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

namespace {

/// Ids are bytes; 256.. are the fixture's tokens, 260 the control token <|end|>, 261 <t>.
Tokenizer byte_tokenizer() { return test::JsonParts().load().value(); }

}  // namespace

TEST_CASE("decode: bytes joined, ill-formed ones replaced", "[tokenizer]") {
  const Tokenizer tokenizer = byte_tokenizer();
  CHECK(tokenizer.decode({}).value() == "");
  CHECK(tokenizer.decode(std::vector<TokenId>{257, 259, 260, 261}).value() == "abc a<|end|><t>");
  CHECK(tokenizer.decode(std::vector<TokenId>{257, 260, 261}, true).value() == "abc<t>");
  CHECK(tokenizer.decode(std::vector<TokenId>{0xC3, 0xA9}).value() == "\xC3\xA9");
  CHECK(tokenizer.decode(std::vector<TokenId>{0xC3, 'x'}).value() == "\xEF\xBF\xBDx");
  CHECK(tokenizer.decode(std::vector<TokenId>{0xF0, 0x9F, 0x98}).value() == "\xEF\xBF\xBD");
  CHECK(tokenizer.decode(std::vector<TokenId>{0x80, 0x80}).value() == "\xEF\xBF\xBD\xEF\xBF\xBD");
}

TEST_CASE("decode: ids without a token are an error with their index", "[tokenizer]") {
  test::JsonParts parts;
  parts.added = R"([{"id":300,"content":"<far>"}])";  // leaves a gap
  const Tokenizer tokenizer = parts.load().value();
  CHECK(tokenizer.vocab_size() == 301);
  CHECK(tokenizer.decode(std::vector<TokenId>{300}).value() == "<far>");
  const std::pair<TokenId, const char*> bad[] = {{-1, "ids[1] is -1, not in [0, 301)"},
                                                 {301, "ids[1] is 301, not in [0, 301)"},
                                                 {299, "ids[1] is 299, an id that"}};
  for (const auto& [id, words] : bad) {
    const auto text = tokenizer.decode(std::vector<TokenId>{65, id});
    REQUIRE_FALSE(text.ok());
    CHECK(text.error().code == ErrorCode::token_out_of_range);
    CAPTURE(text.error().detail);
    CHECK(text.error().detail.find(words) != std::string::npos);
    CHECK_FALSE(tokenizer.token_bytes(id).has_value());
    CHECK_FALSE(tokenizer.is_special(id));
  }
}

TEST_CASE("streaming: holds an unfinished character back", "[tokenizer]") {
  StreamingDecoder decoder(byte_tokenizer());
  CHECK(decoder.push('a').value() == "a");
  CHECK(decoder.push(0xF0).value() == "");
  CHECK(decoder.push(0x9F).value() == "");
  CHECK(decoder.push(0x98).value() == "");
  CHECK(decoder.push(0x80).value() == "\xF0\x9F\x98\x80");
  CHECK(decoder.finish() == "");
}

TEST_CASE("streaming: unfinished becomes U+FFFD when it cannot be finished, or at the end", "[tokenizer]") {
  StreamingDecoder decoder(byte_tokenizer());
  CHECK(decoder.push(0xE4).value() == "");
  CHECK(decoder.push('x').value() == "\xEF\xBF\xBDx");
  CHECK(decoder.push(0xE4).value() == "");
  CHECK(decoder.push(0xC3).value() == "\xEF\xBF\xBD");
  CHECK(decoder.finish() == "\xEF\xBF\xBD");
  CHECK(decoder.finish() == "");
  CHECK(decoder.push('b').value() == "b");
}

TEST_CASE("streaming: an error leaves the state as it was", "[tokenizer]") {
  StreamingDecoder decoder(byte_tokenizer(), true);
  CHECK(decoder.push(0xC3).value() == "");
  const auto bad = decoder.push(9999);
  REQUIRE_FALSE(bad.ok());
  CHECK(bad.error().code == ErrorCode::token_out_of_range);
  CHECK(decoder.push(260).value() == "");  // skipped
  CHECK(decoder.push(0xA9).value() == "\xC3\xA9");
}

TEST_CASE("encode: ill-formed UTF-8 is an error with the offset, and leaves the ids alone", "[tokenizer]") {
  const Tokenizer tokenizer = byte_tokenizer();
  const std::pair<std::string, const char*> bad[] = {
      {"seventeen bytes..\xC3(", "text: ill-formed UTF-8 at byte 17 (0xC3 0x28)"},
      {"\xFF"
       "abc",
       "text: ill-formed UTF-8 at byte 0 (0xFF)"},
      {"a\xED\xA0\x80", "text: ill-formed UTF-8 at byte 1 (0xED 0xA0)"},
      {"ab\xF0\x9F\x98", "text: ill-formed UTF-8 at byte 2 (0xF0 0x9F 0x98)"}};
  for (const auto& [text, words] : bad) {
    std::vector<TokenId> ids = {1, 2};
    const Status status = tokenizer.encode_to(text, SpecialTokens::as_text, ids);
    REQUIRE_FALSE(status.ok());
    CHECK(status.error().code == ErrorCode::invalid_utf8);
    CHECK(status.error().detail == words);
    CHECK(ids == std::vector<TokenId>{1, 2});
    CHECK(tokenizer.encode(detail::replace_invalid_utf8(text)).ok());
  }
}

TEST_CASE("tokenizer: look-ups by bytes and by name", "[tokenizer]") {
  const Tokenizer tokenizer = byte_tokenizer();
  CHECK(tokenizer.vocab_size() == 262);
  CHECK(tokenizer.token_bytes(259) == std::string_view(" a"));
  CHECK(tokenizer.token_bytes(260) == std::string_view("<|end|>"));
  CHECK(tokenizer.find_bytes("abc") == 257);
  CHECK(tokenizer.find_bytes(" a") == 259);
  CHECK_FALSE(tokenizer.find_bytes("").has_value());
  CHECK_FALSE(tokenizer.find_bytes("<|end|>").has_value());
  CHECK(tokenizer.find_added("<|end|>") == 260);
  CHECK_FALSE(tokenizer.find_added("abc").has_value());
  CHECK(tokenizer.is_special(260));
  CHECK_FALSE(tokenizer.is_special(261));
  CHECK(tokenizer.encode("abc").value() == std::vector<TokenId>{257});
  CHECK(tokenizer.encode("xbc").value() == std::vector<TokenId>{'x', 258});
}
