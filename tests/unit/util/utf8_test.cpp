// SPDX-License-Identifier: Apache-2.0
#include "util/utf8.hpp"

#include <random>
#include <vector>

#include "q3g_catch.hpp"

using namespace qwen3guard::detail;

namespace {

const std::string kFffd(kReplacement);

}  // namespace

TEST_CASE("utf8: offset of the first ill-formed sequence", "[util]") {
  using namespace std::string_literals;
  CHECK_FALSE(find_invalid_utf8("").has_value());
  CHECK_FALSE(find_invalid_utf8("plain text, longer than eight bytes").has_value());
  CHECK_FALSE(find_invalid_utf8("\0a\x7F"s).has_value());
  CHECK_FALSE(find_invalid_utf8("\xC3\xA9\xE4\xB8\x80\xF0\x9F\x98\x80").has_value());
  CHECK_FALSE(find_invalid_utf8("\xEF\xBF\xBF\xF4\x8F\xBF\xBF").has_value());
  CHECK(find_invalid_utf8("\x80") == 0);
  CHECK(find_invalid_utf8("a\xC0\x80") == 1);         // overlong
  CHECK(find_invalid_utf8("\xE0\x9F\xBF") == 0);      // overlong
  CHECK(find_invalid_utf8("\xF0\x8F\xBF\xBF") == 0);  // overlong
  CHECK(find_invalid_utf8("\xED\xA0\x80") == 0);      // surrogate
  CHECK(find_invalid_utf8("\xF4\x90\x80\x80") == 0);  // past U+10FFFF
  CHECK(find_invalid_utf8("\xF5") == 0);
  CHECK(find_invalid_utf8("eight by\xE4\xB8") == 8);  // cut
  CHECK(find_invalid_utf8("\xC3\xA9\xC3") == 2);
}

TEST_CASE("utf8: replacement of maximal subparts, table 3-8 of the standard and its neighbours", "[util]") {
  CHECK(replace_invalid_utf8("") == "");
  CHECK(replace_invalid_utf8("good \xC3\xA9") == "good \xC3\xA9");
  const auto repeated = [](int n) {
    std::string out;
    for (int i = 0; i < n; ++i) out += kFffd;
    return out;
  };
  CHECK(replace_invalid_utf8("\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41") == repeated(8) + "A");
  CHECK(replace_invalid_utf8("\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41") == repeated(8) + "A");
  CHECK(replace_invalid_utf8("\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42") ==
        repeated(5) + "A" + repeated(2) + "B");
  CHECK(replace_invalid_utf8("\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41") == repeated(4) + "A");
}

TEST_CASE("utf8: every scalar value encodes and decodes", "[util]") {
  for (std::uint32_t code_point = 0; code_point < 0x110000; ++code_point) {
    if (code_point >= 0xD800 && code_point < 0xE000) continue;
    std::string text = "x";
    append_utf8(code_point, text);
    std::size_t pos = 1;
    const Utf8Step step = utf8_step(text, pos);
    const bool stepped = step.complete && step.code_point == code_point && step.n_bytes == text.size() - 1;
    const bool read = next_code_point(text, pos) == code_point && pos == text.size();
    const bool same = stepped && read && previous_boundary(text, pos) == 1;
    if (same) continue;
    CAPTURE(code_point);
    FAIL("not the same after encoding");
  }
}

TEST_CASE("utf8: a step tells truncated from ill-formed", "[util]") {
  const std::string_view text = "\xF0\x9F\x98\x80";
  for (std::size_t n = 1; n < 4; ++n) {
    const Utf8Step step = utf8_step(text.substr(0, n), 0);
    CHECK_FALSE(step.complete);
    CHECK(step.truncated);
    CHECK(step.n_bytes == n);
  }
  CHECK_FALSE(utf8_step("\xF0\x9Fz", 0).truncated);
  CHECK(utf8_step("\xF0\x9Fz", 0).n_bytes == 2);
  CHECK_FALSE(utf8_step("\x80", 0).truncated);
}

TEST_CASE("utf8: replacing makes any bytes well-formed and keeps well-formed text", "[util]") {
  constexpr std::uint64_t kSeed = 4501;
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 20000; ++i) {
    std::string bytes;
    for (std::uint64_t n = random() % 24; n > 0; --n) {
      const std::uint64_t kind = random() % 4;
      const std::uint64_t byte = kind == 0   ? random() % 0x80
                                 : kind == 1 ? 0x80 + random() % 0x40
                                             : 0xC0 + random() % 0x40;
      bytes.push_back(static_cast<char>(static_cast<unsigned char>(byte)));
    }
    const std::string replaced = replace_invalid_utf8(bytes);
    CAPTURE(kSeed, i);
    REQUIRE_FALSE(find_invalid_utf8(replaced).has_value());
    REQUIRE((replaced == bytes) == !find_invalid_utf8(bytes).has_value());
    REQUIRE(replace_invalid_utf8(replaced) == replaced);
  }
}

TEST_CASE("utf8: first byte that is not ASCII", "[util]") {
  for (std::size_t n = 0; n < 40; ++n) {
    std::string text(n, 'a');
    CHECK(find_non_ascii(text) == n);
    text += "\xC3\xA9";
    CHECK(find_non_ascii(text) == n);
    CHECK(find_non_ascii(text, n / 2) == n);
    text += std::string(20, 'b');
    CHECK(find_non_ascii(text) == n);
    CHECK(find_non_ascii(text, n + 2) == text.size());
  }
}
