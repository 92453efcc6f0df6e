// SPDX-License-Identifier: Apache-2.0
#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer/pattern.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/qwen_scanner.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

using Words = std::vector<std::string>;

Words scan(std::string_view text) {
  Words words;
  for (std::size_t pos = 0, end = 0; pos < text.size(); pos = end) {
    end = qwen_word_end(text, pos);
    words.emplace_back(text.substr(pos, end - pos));
  }
  return words;
}

/// By RE2. The Qwen pattern leaves no gaps: where it would, the words end early.
Words match(const Pattern& pattern, std::string_view text) {
  Words words;
  for (std::size_t pos = 0; pos < text.size();) {
    const auto span = pattern.find(text, pos);
    if (!span || span->begin != pos) break;
    words.emplace_back(text.substr(pos, span->end - pos));
    pos = span->end;
  }
  return words;
}

}  // namespace

TEST_CASE("scanner: words of the Qwen pattern", "[tokenizer]") {
  CHECK(scan("Hello, world!") == Words{"Hello", ",", " world", "!"});
  CHECK(scan("it's WE'VE 'x") == Words{"it", "'s", " WE", "'VE", " '", "x"});
  CHECK(scan("'\xC5\xBF"
             "a") == Words{"'\xC5\xBF", "a"});
  CHECK(scan("'x") == Words{"'x"});
  CHECK(scan("12a") == Words{"1", "2", "a"});
  CHECK(scan("a   b") == Words{"a", "  ", " b"});
  CHECK(scan("a \n  b") == Words{"a", " \n", " ", " b"});
  CHECK(scan("a  ") == Words{"a", "  "});
  CHECK(scan(" 1") == Words{" ", "1"});
  CHECK(scan("  !?\r\n\n x") == Words{" ", " !?\r\n\n", " x"});
  CHECK(scan("\na") == Words{"\n", "a"});
  CHECK(scan("\ta\xC2\xA0"
             "b\xE3\x80\x80") == Words{"\ta",
                                       "\xC2\xA0"
                                       "b",
                                       "\xE3\x80\x80"});
  CHECK(scan("!a") == Words{"!a"});
  CHECK(scan("!!a") == Words{"!!", "a"});
  CHECK(scan("") == Words{});
}

TEST_CASE("scanner: the same words as RE2 on random strings", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4201;
  const Pattern pattern = Pattern::compile(kQwenPattern).value();
  test::RandomText random(kSeed);
  for (int i = 0; i < q3g_test::iterations(20000); ++i) {
    const std::string text = random.next();
    CAPTURE(kSeed, i, text);
    REQUIRE(scan(text) == match(pattern, text));
  }
}

TEST_CASE("scanner: the same words as RE2 around every code point", "[tokenizer]") {
  const Pattern pattern = Pattern::compile(kQwenPattern).value();
  std::string text;
  constexpr std::uint32_t kStep = q3g_test::iterations(8) == 8 ? 1 : 7;
  for (std::uint32_t code_point = 0; code_point < 0x110000; code_point += kStep) {
    if (code_point >= 0xD800 && code_point < 0xE000) continue;
    for (const char* neighbour : {"a", " ", "!"}) {
      append_utf8(code_point, text);
      text += neighbour;
    }
    if (code_point % 0x400 != 0x3FF) continue;
    CAPTURE(code_point);
    REQUIRE(scan(text) == match(pattern, text));
    text.clear();
  }
}
