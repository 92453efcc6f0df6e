// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/pattern.hpp"

#include "q3g_catch.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

using Words = std::vector<std::string>;

/// Words by RE2: the pattern in a group, so that no scanner takes over.
Words split(const std::string& regex, std::string_view text) {
  PreTokenizer pre_tokenizer;
  REQUIRE(pre_tokenizer.add_pattern(regex).ok());
  Words words;
  pre_tokenizer.split(text, [&](std::string_view word) { return words.emplace_back(word), true; });
  return words;
}

}  // namespace

TEST_CASE("pattern: GPT-2", "[tokenizer]") {
  const std::string gpt2(kByteLevelPattern);
  CHECK(split(gpt2, "it's  12 \xC3\xA9t\xC3\xA9!! \n x") ==
        Words{"it", "'s", " ", " 12", " \xC3\xA9t\xC3\xA9", "!!", " \n", " x"});
  CHECK(split(gpt2,
              "a\xE3\x80\x80\xE3\x80\x80"
              "b") == Words{"a", "\xE3\x80\x80", "\xE3\x80\x80", "b"});
  CHECK(split(gpt2, "a  ") == Words{"a", "  "});
}

TEST_CASE("pattern: up to three digits together", "[tokenizer]") {
  CHECK(split(R"(\p{N}{1,3}|[^\s\p{N}]+|\s+(?!\S)|\s+)", "1234567 ab   c") ==
        Words{"123", "456", "7", " ", "ab", "  ", " ", "c"});
}

TEST_CASE("pattern: matches and gaps are words", "[tokenizer]") {
  CHECK(split(R"([0-9])", "ab12c") == Words{"ab", "1", "2", "c"});
  CHECK(split(R"(x*)", "axxb") == Words{"a", "xx", "b"});
  CHECK(split(R"(x*)", "\xC3\xA9") == Words{"\xC3\xA9"});
  CHECK(split(R"((ab)+|c)", "ababc") == Words{"abab", "c"});
}

TEST_CASE("pattern: classes have the reference's Unicode meaning", "[tokenizer]") {
  CHECK(split(R"(\s)",
              "a\xC2\x85"
              "b") == Words{"a", "\xC2\x85", "b"});
  CHECK(split(R"(\S+)",
              "a\xE2\x80\xA8"
              "b") == Words{"a", "\xE2\x80\xA8", "b"});
  CHECK(split(R"(\d)",
              "\xD9\xA3"
              "b") == Words{"\xD9\xA3", "b"});
  CHECK(split(R"(\w+)", "\xC3\xA9_1!") == Words{"\xC3\xA9_1", "!"});
  CHECK(split(R"([^\s\p{L}]+)", "a!?b") == Words{"a", "!?", "b"});
  // U+1C89 and U+10D40 came with Unicode 16.
  CHECK(split(R"(\p{L})", "\xE1\xB2\x89\xE1\xB2\x89") == Words{"\xE1\xB2\x89", "\xE1\xB2\x89"});
  CHECK(split(R"(\P{N}+)", "a\xF0\x90\xB5\x80") == Words{"a", "\xF0\x90\xB5\x80"});
  CHECK(split(R"(\p{^N}+|\p{Lu})", "a1") == Words{"a", "1"});
}

TEST_CASE("pattern: the look-ahead alternative lets later ones have their turn", "[tokenizer]") {
  CHECK(split(R"(\s+(?!\S)|[ ]a|\s+)", "x  a") == Words{"x", " ", " a"});
  CHECK(split(R"(\s+(?!\S)|a)", "x a  b") == Words{"x ", "a", " ", " b"});
  CHECK(split(R"(a|\s+(?!\S))", "a   ") == Words{"a", "   "});
}

TEST_CASE("pattern: what RE2 cannot express is refused by name", "[tokenizer]") {
  const std::pair<const char*, const char*> refused[] = {{R"((?<=a)b)", "look-around"},
                                                         {R"((?<!a)b)", "look-around"},
                                                         {R"(a(?=b))", "look-around"},
                                                         {R"(a(?!b))", "look-around"},
                                                         {R"(x\s+(?!\S))", "look-around"},
                                                         {R"((\s+(?!\S)))", "look-around"},
                                                         {R"((a)\1)", "escape \\1"},
                                                         {R"(\ba)", "escape \\b"},
                                                         {R"(a++)", "possessive"},
                                                         {R"(a?+b)", "possessive"},
                                                         {R"(a{2}+)", "possessive"},
                                                         {R"([a[b]])", "bracket inside"},
                                                         {R"([a&&b])", "&&"},
                                                         {R"([\S])", "negated class"},
                                                         {R"([a)", "no end"},
                                                         {R"((?>a))", "group"},
                                                         {R"((?<n>a))", "group"},
                                                         {R"((?m:a))", "group"},
                                                         {R"(\pL)", "property"},
                                                         {"a\\", "backslash"},
                                                         {R"((a)", "RE2"},
                                                         {R"(a))", "RE2"},
                                                         {R"(\p{Nonsense})", "RE2"},
                                                         {R"(*)", "RE2"}};
  for (const auto& [regex, word] : refused) {
    CAPTURE(regex);
    const auto pattern = Pattern::compile(regex);
    REQUIRE_FALSE(pattern.ok());
    CHECK(pattern.error().code == ErrorCode::unsupported_model);
    CAPTURE(pattern.error().detail);
    CHECK(pattern.error().detail.find(word) != std::string::npos);
  }
}

TEST_CASE("pre-tokenizer: patterns one after the other", "[tokenizer]") {
  PreTokenizer pre_tokenizer;
  REQUIRE(pre_tokenizer.add_pattern(R"([0-9])").ok());
  REQUIRE(pre_tokenizer.add_pattern(kQwenPattern).ok());
  Words words;
  pre_tokenizer.split("a b1 c  2", [&](std::string_view word) { return words.emplace_back(word), true; });
  CHECK(words == Words{"a", " b", "1", " c", "  ", "2"});
  words.clear();
  pre_tokenizer.split("", [&](std::string_view word) { return words.emplace_back(word), true; });
  CHECK(words.empty());
}
