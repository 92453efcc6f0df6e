// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/added_tokens.hpp"

#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

/// "[id]" for tokens, the text itself between them, joined by '|'.
std::string pieces(const AddedTokenMatcher& matcher, std::string_view text, SpecialTokens mode) {
  std::string out;
  for (std::size_t pos = 0; pos < text.size();) {
    const auto piece = matcher.next(text, pos, mode);
    REQUIRE(piece.begin == pos);
    REQUIRE(piece.end > pos);
    if (!out.empty()) out += "|";
    out +=
        piece.id >= 0 ? "[" + std::to_string(piece.id) + "]" : std::string(text.substr(pos, piece.end - pos));
    pos = piece.end;
  }
  return out;
}

AddedToken token(TokenId id, std::string content, bool special = false) {
  AddedToken result;
  result.id = id;
  result.content = std::move(content);
  result.special = special;
  return result;
}

constexpr auto kRecognized = SpecialTokens::recognized;
constexpr auto kAsText = SpecialTokens::as_text;

}  // namespace

TEST_CASE("added tokens: leftmost, then longest, not overlapping", "[tokenizer]") {
  const AddedTokenMatcher matcher(
      {token(1, "ab"), token(2, "abc"), token(3, "bcd"), token(4, "b"), token(5, "abcde")});
  CHECK(pieces(matcher, "xabx", kRecognized) == "x|[1]|x");
  CHECK(pieces(matcher, "abcd", kRecognized) == "[2]|d");
  CHECK(pieces(matcher, "abcdabcde", kRecognized) == "[2]|d|[5]");
  CHECK(pieces(matcher, "bcdb", kRecognized) == "[3]|[4]");
  CHECK(pieces(matcher, "a", kRecognized) == "a");
  CHECK(pieces(AddedTokenMatcher(), "ab", kRecognized) == "ab");
}

TEST_CASE("added tokens: a control token as text hides what is inside it", "[tokenizer]") {
  const AddedTokenMatcher matcher({token(1, "<|a|>", true), token(2, "a"), token(3, "|>x")});
  CHECK(pieces(matcher, "a<|a|>xa", kRecognized) == "[2]|[1]|x|[2]");
  CHECK(pieces(matcher, "a<|a|>xa", kAsText) == "[2]|<|a|>x|[2]");
  CHECK(pieces(matcher, "<|a|>", kAsText) == "<|a|>");
  CHECK(pieces(matcher, "<|a|", kAsText) == "<||[2]||");
}

TEST_CASE("added tokens: lstrip and rstrip take white space along", "[tokenizer]") {
  AddedToken left = token(1, "L"), right = token(2, "R");
  left.lstrip = true;
  right.rstrip = true;
  const AddedTokenMatcher matcher({left, right});
  CHECK(pieces(matcher, "a \xE3\x80\x80L b", kRecognized) == "a|[1]| b");
  CHECK(pieces(matcher,
               "a R \n\xC2\xA0"
               "b",
               kRecognized) == "a |[2]|b");
  CHECK(pieces(matcher, "R  L", kRecognized) == "[2]|[1]");
  CHECK(pieces(matcher, "  L", kRecognized) == "[1]");
  CHECK(pieces(matcher, "R  ", kRecognized) == "[2]");
}

TEST_CASE("added tokens: those marked normalized are found after NFC", "[tokenizer]") {
  test::JsonParts parts;
  parts.added =
      R"([{"id":260,"content":"e\u0301","normalized":true},{"id":261,"content":"a\u0301","normalized":false}])";
  const Tokenizer tokenizer = parts.load().value();
  CHECK(tokenizer.encode("e\xCC\x81").value() == std::vector<TokenId>{260});
  CHECK(tokenizer.encode("\xC3\xA9").value() == std::vector<TokenId>{260});
  CHECK(tokenizer.encode("a\xCC\x81").value() == std::vector<TokenId>{261});
  CHECK(tokenizer.encode("\xC3\xA1").value() == std::vector<TokenId>{0xC3, 0xA1});
}

TEST_CASE("added tokens: the longest of thousands", "[tokenizer]") {
  std::vector<AddedToken> tokens;
  std::string content;
  for (TokenId id = 0; id < 3000; ++id) tokens.push_back(token(id, content += 'a'));
  const AddedTokenMatcher matcher(std::move(tokens));
  CHECK(pieces(matcher, std::string(3001, 'a'), kRecognized) == "[2999]|[0]");
}
