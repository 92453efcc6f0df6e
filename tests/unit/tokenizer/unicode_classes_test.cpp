// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/unicode_classes.hpp"

#include "q3g_catch.hpp"

using namespace qwen3guard::detail;

TEST_CASE("unicode classes: counts of the reference, which knows Unicode 16", "[tokenizer]") {
  int counts[4] = {};
  for (std::uint32_t code_point = 0; code_point < 0x110000; ++code_point)
    ++counts[static_cast<std::size_t>(UnicodeClasses::char_class(code_point))];
  CHECK(counts[static_cast<std::size_t>(CharClass::letter)] == 141028);
  CHECK(counts[static_cast<std::size_t>(CharClass::number)] == 1911);
  CHECK(counts[static_cast<std::size_t>(CharClass::space)] == 25);
}

TEST_CASE("unicode classes: single code points", "[tokenizer]") {
  CHECK(UnicodeClasses::char_class('a') == CharClass::letter);
  CHECK(UnicodeClasses::char_class('5') == CharClass::number);
  CHECK(UnicodeClasses::char_class('\n') == CharClass::space);
  CHECK(UnicodeClasses::char_class(0x1C) == CharClass::other);
  CHECK(UnicodeClasses::char_class(0x85) == CharClass::space);
  CHECK(UnicodeClasses::char_class(0x180E) == CharClass::other);
  CHECK(UnicodeClasses::char_class(0x200B) == CharClass::other);
  CHECK(UnicodeClasses::char_class(0x301) == CharClass::other);
  CHECK(UnicodeClasses::char_class(0x2167) == CharClass::number);
  CHECK(UnicodeClasses::char_class(0x4E2D) == CharClass::letter);
  CHECK(UnicodeClasses::char_class(0x10FFFF) == CharClass::other);
  CHECK_FALSE(UnicodeClasses::nfc_may_change('a'));
  CHECK_FALSE(UnicodeClasses::nfc_may_change(0xE9));
  CHECK(UnicodeClasses::nfc_may_change(0x301));
  CHECK(UnicodeClasses::nfc_may_change(0x212B));
  CHECK(UnicodeClasses::nfc_may_change(0x1161));
  CHECK_FALSE(UnicodeClasses::nfc_may_change(0xAC00));
}
