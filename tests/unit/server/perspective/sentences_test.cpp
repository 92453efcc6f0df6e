// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/sentences.hpp"

#include <random>
#include <string>

#include "q3g_catch.hpp"
#include "random_data.hpp"
#include "util/utf8.hpp"
#include "wire/utf8_text.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

std::vector<std::string> texts_of(std::string_view text) {
  std::vector<std::string> out;
  for (const Sentence& s : sentences_of(text)) out.emplace_back(text.substr(s.begin, s.end - s.begin));
  return out;
}

std::size_t utf16_units(std::string_view text) {
  std::size_t n = 0;
  for (std::size_t at = 0; at < text.size();) n += detail::next_code_point(text, at) > 0xFFFF ? 2 : 1;
  return n;
}

}  // namespace

TEST_CASE("sentences: ended by stops with space behind them, by wide stops, and by lines", "[server]") {
  using Texts = std::vector<std::string>;
  CHECK(texts_of("") == Texts{""});
  CHECK(texts_of("No end") == Texts{"No end"});
  CHECK(texts_of("Hi. You there? Yes!") == Texts{"Hi. ", "You there? ", "Yes!"});
  CHECK(texts_of("See a.b.org at 3.14 today.") == Texts{"See a.b.org at 3.14 today."});
  CHECK(texts_of("Wait... what?! No.") == Texts{"Wait... ", "what?! ", "No."});
  CHECK(texts_of("(He left.) \"Go!\" I said.") == Texts{"(He left.) ", "\"Go!\" ", "I said."});
  CHECK(texts_of("one\ntwo\r\n\n three") == Texts{"one\n", "two\r\n\n ", "three"});
  CHECK(texts_of("\n\n  one. two") == Texts{"\n\n  one. ", "two"});
  CHECK(texts_of("\u4F60\u597D\u3002\u518D\u89C1\uFF01\u8D70") ==
        Texts{"\u4F60\u597D\u3002", "\u518D\u89C1\uFF01", "\u8D70"});
  CHECK(texts_of("\u0928\u092E\u0964 \u0906\u092A") == Texts{"\u0928\u092E\u0964 ", "\u0906\u092A"});
  CHECK(texts_of("   ") == Texts{"   "});
  CHECK(texts_of("Stop !!! Now") == Texts{"Stop !!! ", "Now"});
}

TEST_CASE("sentences: places are counted in UTF-16 code units", "[server]") {
  // U+1F600 has two, the letter with a diaeresis one.
  const std::vector<Sentence> found = sentences_of("\U0001F600 Sch\u00F6n. \U0001F468\u200D\U0001F469!");
  REQUIRE(found.size() == 2);
  CHECK(found[0].utf16_begin == 0);
  CHECK(found[0].utf16_end == 10);
  CHECK(found[1].utf16_begin == 10);
  CHECK(found[1].utf16_end == 16);
}

TEST_CASE("sentences: every byte is in one, whole characters, and there are not too many", "[server]") {
  std::mt19937 random(3);
  const std::vector<std::string> pieces = {"a",  ".",  " ",  "\n", "?",  "\"", ")",          "\u3002",
                                           "b ", "! ", "\r", "e",  "\t", "'",  "\U0001F600", "\u0301"};
  for (int i = 0; i < 300; ++i) {
    std::string text;
    const auto n = static_cast<std::size_t>(random() % 2000);
    for (std::size_t k = 0; k < n; ++k) text += pieces[random() % pieces.size()];
    const std::vector<Sentence> found = sentences_of(text);
    CHECK(found.size() <= kMaxSentences);
    std::size_t at = 0, utf16 = 0;
    for (const Sentence& s : found) {
      REQUIRE(s.begin == at);
      REQUIRE(s.utf16_begin == utf16);
      const std::string_view part = std::string_view(text).substr(s.begin, s.end - s.begin);
      CHECK_FALSE(wire::find_ill_formed(part).has_value());
      CHECK((part.find_first_not_of(" \t\r\n") != std::string_view::npos || found.size() == 1));
      at = s.end;
      utf16 += utf16_units(part);
      REQUIRE(s.utf16_end == utf16);
    }
    CHECK(at == text.size());
  }
}
