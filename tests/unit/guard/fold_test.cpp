// SPDX-License-Identifier: Apache-2.0
#include "guard/lists/fold.hpp"

#include <random>

#include "guard/lists/confusables.hpp"
#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "util/utf8.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

constexpr Folding kNothing{false, false, false, false, false, false};
constexpr Folding kEverything{true, true, true, true, true, true};

Folding only(bool Folding::*which) {
  Folding folding = kNothing;
  folding.*which = true;
  return folding;
}

std::string fold(std::string_view text, const Folding& folding) { return fold_text(text, folding).text(); }

std::string utf8_of(std::initializer_list<std::uint32_t> code_points) {
  std::string out;
  for (const std::uint32_t code_point : code_points) append_utf8(code_point, out);
  return out;
}

/// Text of characters that folding cares about.
std::string random_fold_text(std::mt19937& random, std::size_t n) {
  static const std::vector<std::string> kParts = {"a",
                                                  "b",
                                                  "B",
                                                  "O",
                                                  "m",
                                                  "0",
                                                  "1",
                                                  "4",
                                                  "@",
                                                  "$",
                                                  "!",
                                                  "|",
                                                  " ",
                                                  " ",
                                                  ".",
                                                  "-",
                                                  "  ",
                                                  "\n",
                                                  "e\xCC\x81",
                                                  "\xCC\xB7",
                                                  "\xCC\xA3",
                                                  "\xE2\x80\x8B",
                                                  "\xE2\x80\xAE",
                                                  "\xD0\xB0",
                                                  "\xD0\x92",
                                                  "\xEF\xBC\xA2",
                                                  "\xEF\xAC\x81",
                                                  "\xC3\xB8",
                                                  "\xE7\x82\xB8",
                                                  "\xE5\xBC\xB9",
                                                  "\xEA\xB0\x81",
                                                  "\xE1\x84\x80\xE1\x85\xA1",
                                                  "\xC4\xB0",
                                                  "\xC3\x9F",
                                                  "\xF0\x9D\x90\x81",
                                                  "\xE2\x91\xA0",
                                                  "\xFF",
                                                  "\xE2\x82",
                                                  "\xCE\xA3",
                                                  "\xCF\x82",
                                                  "\xC2\xB7",
                                                  "\x01",
                                                  "7",
                                                  "x"};
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += kParts[random() % kParts.size()];
  return out;
}

}  // namespace

TEST_CASE("fold: each option on its own", "[guard]") {
  CHECK(fold("How To", kNothing) == "How To");
  CHECK(fold("BoMb Stra\xC3\x9F"
             "e \xCE\xA3\xCF\x82",
             only(&Folding::letter_case)) == "bomb strasse \xCF\x83\xCF\x83");
  CHECK(fold("\xEF\xBC\xA2\xEF\xBD\x8F m\xE2\x91\xA0 \xEF\xAC\x81", only(&Folding::width)) == "Bo m1 fi");
  CHECK(fold("b\xD0\xBEmb \xD0\x92\xD0\x9E\xD0\x9C\xD0\x92 b\xC3\xB8mb \xF0\x9D\x90\x81",
             only(&Folding::confusables)) == "bomb BOMB bomb B");
  CHECK(fold("b\xCC\xB7o\xCC\xB7m\xCC\x88"
             "b",
             only(&Folding::confusables)) == "bomb");
  CHECK(fold("b\xC3\xA9", only(&Folding::confusables)) == "b\xC3\xA9");    // e with acute is a letter
  CHECK(fold("kill Im 10", only(&Folding::confusables)) == "kill Im 10");  // ASCII looks like itself
  CHECK(fold("b\xE2\x80\x8Bo\xC2\xADm\xE2\x80\xAE"
             "b\x07\t",
             only(&Folding::invisible)) == "bomb\t");
  CHECK(fold("a b.o-m_b, k i l l  y o u!", only(&Folding::spaced_out)) == "abomb kill you!");
  CHECK(fold("I am at a b", only(&Folding::spaced_out)) == "I am at a b");
  CHECK(fold("b0mb k1ll @ss 2nd 2001 1st naz!", only(&Folding::leetspeak)) ==
        "bomb kill ass 2nd 2001 ist naz!");
  CHECK(fold("B . 0 . \xD0\xBC . \xEF\xBC\xA2", kEverything) == "bomb");
}

TEST_CASE("fold: ranges map back", "[guard]") {
  const std::string text = "x \xEF\xBC\xA2\xE2\x80\x8B\xD0\xBEmb!";
  const FoldedText folded = fold_text(text, kEverything);
  REQUIRE(folded.text() == "x bomb!");
  using Range = std::pair<std::int64_t, std::int64_t>;
  CHECK(folded.origin(2, 6) == Range{2, 12});
  CHECK(folded.origin(2, 3) == Range{2, 8});  // with what was left out behind it
  CHECK(folded.origin(3, 4) == Range{8, 10});
  CHECK(folded.origin(0, 7) == Range{0, 13});
  CHECK(folded.origin(3, 3) == Range{8, 8});
  CHECK(folded.origin(7, 7) == Range{13, 13});
  // Both letters of a ligature come from it; a letter and its marks are one.
  CHECK(fold_text("\xEF\xAC\x81", kEverything).origin(1, 2) == Range{0, 3});
  CHECK(fold_text("q\xCC\x81\xCC\xA3", kNothing).origin(1, 3) == Range{0, 5});
}

TEST_CASE("fold: what is folded stays as it is", "[guard]") {
  for (std::uint32_t c = 0; c < 0x110000; ++c) {
    if (c >= 0xD800 && c < 0xE000) continue;
    const std::string text = utf8_of({c});
    for (const bool letter_case : {false, true}) {
      Folding folding = kEverything;
      folding.letter_case = letter_case;
      const std::string once = fold(text, folding);
      if (once == text) continue;
      CAPTURE(c, letter_case, once);
      REQUIRE(fold(once, folding) == once);
    }
  }
  constexpr unsigned kSeed = 1501;
  std::mt19937 random(kSeed);
  for (int i = 0; i < q3g_test::iterations(20000); ++i) {
    const std::string text = random_fold_text(random, 1 + random() % 16);
    Folding folding = kEverything;
    for (bool Folding::*which : {&Folding::letter_case, &Folding::width, &Folding::confusables,
                                 &Folding::invisible, &Folding::spaced_out, &Folding::leetspeak})
      folding.*which = random() % 4 != 0;
    const FoldedText once = fold_text(text, folding);
    CAPTURE(kSeed, i, text, once.text());
    REQUIRE_FALSE(find_invalid_utf8(once.text()).has_value());
    REQUIRE(fold(once.text(), folding) == once.text());
    const auto [begin, end] = once.origin(0, once.text().size());
    REQUIRE(begin >= 0);
    REQUIRE(end <= static_cast<std::int64_t>(text.size()));
  }
}

TEST_CASE("fold: case and looks are independent", "[guard]") {
  const Folding looks = only(&Folding::confusables), letter_case = only(&Folding::letter_case);
  Folding both = looks;
  both.letter_case = true;
  for (const std::uint32_t c : kConfusables) {
    const std::string text = utf8_of({c});
    CAPTURE(c);
    REQUIRE(fold(fold(text, looks), both) == fold(text, both));
    REQUIRE(fold(fold(text, letter_case), both) == fold(text, both));
  }
}

TEST_CASE("fold: any cut gives the same characters", "[guard]") {
  constexpr unsigned kSeed = 1502;
  std::mt19937 random(kSeed);
  for (int i = 0; i < q3g_test::iterations(5000); ++i) {
    const std::string text = random_fold_text(random, random() % 40);
    const auto folded = [&](bool is_cut) {
      Folder folder(kEverything);
      std::vector<FoldedChar> out;
      for (std::size_t pos = 0; pos < text.size();) {
        const std::size_t n = is_cut ? random() % 4 : text.size();
        folder.push(std::string_view(text).substr(pos, n), out);
        pos += std::min(n, text.size() - pos);
        REQUIRE(folder.n_bytes() == static_cast<std::int64_t>(pos));
      }
      folder.finish(out);
      std::vector<std::int64_t> flat;
      for (const FoldedChar& one : out) flat.insert(flat.end(), {one.code_point, one.begin, one.end});
      return flat;
    };
    CAPTURE(kSeed, i, text);
    REQUIRE(folded(true) == folded(false));
  }
}

TEST_CASE("fold: hostile texts take linear time and keep their bytes", "[guard]") {
  constexpr std::size_t kBytes = std::size_t{1} << 18;
  const auto repeated = [&](std::string_view part) {
    std::string out = "a";
    while (out.size() < kBytes) out += part;
    return out;
  };
  for (const char* part : {"\xCC\x81", "\xCC\x81\xCC\xA3", "\xD0\xB0", "\xE2\x80\x8B", " b", "1", "@",
                           "\xF0\x9F\x91\xA9", "\xEF\xB7\xBA", "\xEA\xB0\x81", "\xFF"}) {
    const std::string text = repeated(part);
    const FoldedText folded = fold_text(text, kEverything);
    CAPTURE(part);
    CHECK(folded.text().size() <= text.size() * 11);  // U+FDFA becomes 18 characters
    CHECK(folded.origin(0, folded.text().size()).second <= static_cast<std::int64_t>(text.size()));
  }
}

TEST_CASE("fold: which texts a model should see twice", "[guard]") {
  Folding folding;
  CHECK_FALSE(is_copy_worth_judging("How do I get to the BBC, Mr. Smith?", folding));
  CHECK_FALSE(is_copy_worth_judging("e\xCC\x81", folding));  // equivalent
  CHECK(is_copy_worth_judging("hOw to", folding));
  CHECK(is_copy_worth_judging("b\xE2\x80\x8Bomb", folding));
  CHECK_FALSE(is_copy_worth_judging("b0mb", folding));
  CHECK(is_copy_worth_judging("b0mb", kEverything));
  CHECK_FALSE(is_copy_worth_judging("hOw to", only(&Folding::width)));
}
