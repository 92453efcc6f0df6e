// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/quote.hpp"

#include <cstdint>
#include <random>

#include "q3g_catch.hpp"
#include "util/utf8.hpp"

using qwen3guard::printable;
using qwen3guard::quote;

TEST_CASE("quote: short text stands as it is, between quotes", "[util]") {
  CHECK(quote("") == "\"\"");
  CHECK(quote("plain") == "\"plain\"");
  CHECK(quote("caf\xC3\xA9 \xF0\x9F\x98\x80") == "\"caf\xC3\xA9 \xF0\x9F\x98\x80\"");
  CHECK(printable("") == "");
  CHECK(printable("C:\\models\\\"q\"/config.json") == "C:\\models\\\"q\"/config.json");
}

TEST_CASE("quote: what would break a line or drive a terminal is an escape", "[util]") {
  using namespace std::string_literals;
  CHECK(quote("a\nb\r\t") == R"("a\nb\r\t")");
  CHECK(quote("\x1B[2J\0\x7F"s) == R"("\u001b[2J\u0000\u007f")");
  CHECK(quote("\xC2\x9B") == R"("\u009b")");  // a C1 control character
  CHECK(quote("\xE2\x80\xAE\xE2\x80\xA8\xE2\x81\xA6") == R"("\u202e\u2028\u2066")");
  CHECK(quote("\xFF\xE4\xB8z") == R"("\xff\xe4\xb8z")");  // not UTF-8
  CHECK(quote("say \"x\" \\") == R"("say \"x\" \\")");
  CHECK(printable("a\nb\x1B") == R"(a\nb\u001b)");
}

TEST_CASE("quote: long text is cut at a character", "[util]") {
  const std::string a200(200, 'a');
  CHECK(quote(a200) == "\"" + a200 + "\"");
  CHECK(quote(a200 + "b") == "\"" + a200 + "\"...");
  // 199 bytes and a character of three: it does not fit.
  CHECK(quote(std::string(199, 'a') + "\xE4\xB8\x80") == "\"" + std::string(199, 'a') + "\"...");
  CHECK(quote("abcdef", 3) == R"("abc"...)");
  // An escape is not cut either.
  CHECK(quote("ab\ncd", 3) == R"("ab"...)");
  CHECK(quote("ab", 0) == R"(""...)");
}

TEST_CASE("quote: a long name keeps both ends", "[util]") {
  const std::string path = "/models/" + std::string(5000, 'd') + "/config.json";
  const std::string shown = printable(path);
  CHECK(shown.size() == 200);
  CHECK(shown.substr(0, 10) == "/models/dd");
  CHECK(shown.find("...") != std::string::npos);
  CHECK(shown.substr(shown.size() - 13) == "d/config.json");
  CHECK(printable("abcdefghijkl", 9) == "ab...ijkl");
  // Whole characters at both sides of the dots.
  CHECK(printable("\xE4\xB8\x80\xE4\xB8\x80\xE4\xB8\x80\xE4\xB8\x80\xE4\xB8\x80", 14) ==
        "\xE4\xB8\x80...\xE4\xB8\x80\xE4\xB8\x80");
  CHECK(printable("abcdefghijkl", 1) == "...");
}

TEST_CASE("quote: any bytes become one bounded line of UTF-8", "[util]") {
  const unsigned seed = std::random_device()();
  CAPTURE(seed);
  std::mt19937 rng(seed);
  const std::string_view pieces[] = {"a",  "\xC3\xA9", "\xF0\x9F\x98\x80", "\xE4\xB8", "\x80", "\n",
                                     "\"", "\\",       "\xE2\x80\xAE",     "\xFF",     "/"};
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (auto n = rng() % 120; n > 0; --n) text += pieces[rng() % std::size(pieces)];
    const std::size_t most = rng() % 90;
    const std::string quoted = quote(text, most), shown = printable(text, most);
    CAPTURE(quoted, shown, most);
    REQUIRE(quoted.size() <= most + 5);
    REQUIRE(shown.size() <= (most < 3 ? 3 : most));
    for (const std::string& line : {quoted, shown}) {
      REQUIRE_FALSE(qwen3guard::detail::find_invalid_utf8(line).has_value());
      REQUIRE(line.find('\n') == std::string::npos);
      REQUIRE(line.find("\xE2\x80\xAE") == std::string::npos);
    }
  }
}
