// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/nfc.hpp"

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

std::string nfc(std::string_view text) {
  std::string out = "before ";
  NfcScratch scratch;
  REQUIRE(append_nfc(text, scratch, out));
  REQUIRE(out.starts_with("before "));
  return out.substr(7);
}

std::string utf8(std::initializer_list<std::uint32_t> code_points) {
  std::string out;
  for (const std::uint32_t code_point : code_points) append_utf8(code_point, out);
  return out;
}

}  // namespace

TEST_CASE("nfc: composes, reorders, replaces singletons", "[tokenizer]") {
  CHECK(nfc("") == "");
  CHECK(nfc("plain") == "plain");
  CHECK(nfc(utf8({'e', 0x301})) == utf8({0xE9}));
  CHECK(nfc(utf8({'x', 'e', 0x301, 'y'})) == utf8({'x', 0xE9, 'y'}));
  CHECK(nfc(utf8({0x212B})) == utf8({0xC5}));
  CHECK(nfc(utf8({'a', 0x301, 0x323})) == utf8({0x1EA1, 0x301}));  // the dot below goes first
  CHECK(nfc(utf8({'q', 0x301, 0x323})) == utf8({'q', 0x323, 0x301}));
  CHECK(nfc(utf8({0x1100, 0x1161, 0x11A8})) == utf8({0xAC01}));  // Hangul
  CHECK(nfc(utf8({0xAC00, 0x11A8})) == utf8({0xAC01}));
  CHECK(nfc(utf8({0x0958})) == utf8({0x0915, 0x093C}));  // excluded from composition
  CHECK(nfc(utf8({0x0344})) == utf8({0x0308, 0x0301}));
  CHECK(nfc(utf8({0x1D15E})) == utf8({0x1D157, 0x1D165}));
  CHECK(nfc(utf8({0x301, 'e'})) == utf8({0x301, 'e'}));
  CHECK(nfc(utf8({0xFB01})) == utf8({0xFB01}));  // no compatibility mapping
}

TEST_CASE("nfc: marks that the reference does not know stay in place", "[tokenizer]") {
  // U+1ACC and U+08CF came with Unicode 14; for the reference they are unassigned.
  CHECK(nfc(utf8({0x1ACC, 0x316})) == utf8({0x1ACC, 0x316}));
  CHECK(nfc(utf8({0x08CF, 0x5B5})) == utf8({0x08CF, 0x5B5}));
}

TEST_CASE("nfc: the quick look is never wrong, and NFC of NFC is the same", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4301;
  test::RandomText random(kSeed);
  int n_sure = 0;
  for (int i = 0; i < q3g_test::iterations(20000); ++i) {
    const std::string text = random.next(), normal = nfc(text);
    CAPTURE(kSeed, i, text);
    REQUIRE_FALSE(find_invalid_utf8(normal).has_value());
    if (is_surely_nfc(text)) {
      ++n_sure;
      REQUIRE(normal == text);
    }
    REQUIRE(nfc(normal) == normal);
  }
  CHECK(n_sure > 1000);
  CHECK(n_sure < 19000);
}

TEST_CASE("nfc: a long run of marks in the wrong order", "[tokenizer]") {
  std::string text = "a";
  const std::string above = utf8({0x301}), below = utf8({0x316});
  constexpr int kMarks = 200000;
  for (int i = 0; i < kMarks; ++i) text += above;
  for (int i = 0; i < kMarks; ++i) text += below;
  const std::string normal = nfc(text);
  CHECK(normal.starts_with(utf8({0xE1, 0x316, 0x316})));
  CHECK(normal.ends_with(above));
  CHECK(normal.size() == text.size() - 1);
}
