// SPDX-License-Identifier: Apache-2.0
#include "guard/lists/phrase_matcher.hpp"

#include <algorithm>
#include <random>

#include "guard/lists/phrase_scanner.hpp"
#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "util/utf8.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

using Phrases = std::vector<std::string>;

constexpr Folding kAll{true, true, true, true, true, true};

PhraseMatcher matcher_of(Phrases deny, Phrases allow = {}, const Folding& folding = {}) {
  Result<PhraseMatcher> matcher = PhraseMatcher::compile({std::move(deny), std::move(allow), folding, false});
  INFO((matcher.ok() ? std::string() : matcher.error().detail));
  REQUIRE(matcher.ok());
  return *std::move(matcher);
}

/// What a hit covers, with the phrase in front; empty when there is none.
std::string found(const PhraseMatcher& matcher, std::string_view text) {
  const auto hit = matcher.find(text);
  if (!hit) return "";
  return std::to_string(hit->phrase) + ":" +
         std::string(text.substr(static_cast<std::size_t>(hit->byte_begin),
                                 static_cast<std::size_t>(hit->byte_end - hit->byte_begin)));
}

std::string error_of(Phrases deny, Phrases allow = {}, const Folding& folding = {}) {
  const auto matcher = PhraseMatcher::compile({std::move(deny), std::move(allow), folding, false});
  REQUIRE_FALSE(matcher.ok());
  REQUIRE(matcher.error().code == ErrorCode::invalid_argument);
  return matcher.error().detail;
}

// The same by other means: every phrase at every place, one character after the other.

struct NaiveText {
  explicit NaiveText(std::string_view text, const Folding& folding, bool is_phrase) {
    std::vector<FoldedChar> all;
    Folder folder(folding);
    folder.push(text, all);
    folder.finish(all);
    for (const FoldedChar& one : all) {
      const bool is_gap = folding.spaced_out ? is_separator(one.code_point) : is_white_space(one.code_point);
      if (is_gap && !chars.empty() && chars.back().code_point == ' ') continue;
      if (is_gap && is_phrase && chars.empty()) continue;
      chars.push_back(one);
      if (is_gap) chars.back().code_point = ' ';
    }
    while (is_phrase && !chars.empty() && chars.back().code_point == ' ') chars.pop_back();
  }

  [[nodiscard]] WordClass class_before(std::size_t i) const {
    while (i > 0) {
      const WordClass its = word_class(chars[--i].code_point);
      if (its != WordClass::extend) return its;
    }
    return WordClass::other;
  }
  /// Whether words may begin or end between the characters i - 1 and i.
  [[nodiscard]] bool is_boundary(std::size_t i) const {
    if (i == 0 || i == chars.size()) return true;
    const WordClass its = word_class(chars[i].code_point);
    return its != WordClass::extend && !(its == WordClass::word && class_before(i) == WordClass::word);
  }

  std::vector<FoldedChar> chars;
};

bool naive_same(std::uint32_t found, std::uint32_t letter, bool is_leet) {
  static const std::vector<std::pair<char, std::string>> kLeet = {
      {'a', "4@"}, {'b', "8"}, {'e', "3"},  {'g', "69"}, {'i', "1!|"},
      {'l', "1|"}, {'o', "0"}, {'s', "5$"}, {'t', "7+"}, {'z', "2"}};
  if (found == letter) return true;
  if (!is_leet || found > 0x7F) return false;
  if (letter >= 'A' && letter <= 'Z') letter += 0x20;
  return std::any_of(kLeet.begin(), kLeet.end(), [&](const auto& row) {
    return static_cast<std::uint32_t>(row.first) == letter &&
           row.second.find(static_cast<char>(found)) != std::string::npos;
  });
}

/// Where the phrase that begins at `at` ends; 0 when it does not stand there.
std::size_t naive_end(const NaiveText& text, std::size_t at, const NaiveText& phrase, const Folding& folding,
                      bool is_spaced) {
  if (!text.is_boundary(at)) return 0;
  bool is_verbatim = true, has_letter = false;
  std::size_t i = at;
  for (std::size_t k = 0; k < phrase.chars.size(); ++k) {
    const std::uint32_t wanted = phrase.chars[k].code_point;
    const bool is_extend = word_class(wanted) == WordClass::extend;
    if (is_spaced && wanted == ' ') continue;
    if (is_spaced && i > at && !is_extend) {
      if (i == text.chars.size() || text.chars[i++].code_point != ' ') return 0;
    }
    if (i == text.chars.size()) return 0;
    const std::uint32_t found = text.chars[i].code_point;
    if (!naive_same(found, wanted, folding.leetspeak)) return 0;
    is_verbatim = is_verbatim && found == wanted;
    const bool is_digit = found >= '0' && found <= '9';
    has_letter = has_letter || (word_class(found) != WordClass::other && !is_digit);
    ++i;
  }
  return text.is_boundary(i) && (is_verbatim || has_letter) ? i : 0;
}

bool may_be_spaced(const NaiveText& phrase) {
  std::size_t n = 0;
  bool are_single = true;
  for (const FoldedChar& one : phrase.chars) {
    const WordClass its = word_class(one.code_point);
    if (its == WordClass::extend || one.code_point == ' ') continue;
    ++n;
    are_single = are_single && its == WordClass::single;
  }
  return n >= (are_single ? 2U : 3U);
}

struct NaiveHit {
  std::size_t begin, end;
  std::int32_t phrase;
};

std::vector<NaiveHit> naive_hits(const NaiveText& text, const Phrases& phrases, const Folding& folding) {
  std::vector<NaiveHit> out;
  for (const bool is_spaced : {false, true}) {
    for (std::size_t p = 0; p < phrases.size(); ++p) {
      const NaiveText phrase(phrases[p], folding, true);
      if (is_spaced && !(folding.spaced_out && may_be_spaced(phrase))) continue;
      for (std::size_t at = 0; at < text.chars.size(); ++at) {
        if (const std::size_t end = naive_end(text, at, phrase, folding, is_spaced); end > 0)
          out.push_back({at, end, static_cast<std::int32_t>(p)});
      }
    }
  }
  return out;
}

std::optional<PhraseHit> naive_find(std::string_view original, const PhraseLists& lists) {
  const NaiveText text(original, lists.folding, false);
  const auto allowed = naive_hits(text, lists.allow, lists.folding);
  std::optional<NaiveHit> best;
  for (const NaiveHit& hit : naive_hits(text, lists.deny, lists.folding)) {
    const bool is_lifted = std::any_of(allowed.begin(), allowed.end(), [&](const NaiveHit& allow) {
      return allow.begin <= hit.begin && allow.end >= hit.end;
    });
    if (is_lifted) continue;
    if (!best || hit.end < best->end || (hit.end == best->end && hit.begin < best->begin)) best = hit;
  }
  if (!best) return std::nullopt;
  PhraseHit out{best->phrase, text.chars[best->begin].begin, 0};
  for (std::size_t i = best->begin; i < best->end; ++i) {
    out.byte_begin = std::min(out.byte_begin, text.chars[i].begin);
    out.byte_end = std::max(out.byte_end, text.chars[i].end);
  }
  return out;
}

const Phrases kParts = {"a",
                        "b",
                        "o",
                        "i",
                        "A",
                        "0",
                        "1",
                        "8",
                        "@",
                        "!",
                        "|",
                        " ",
                        " ",
                        ".",
                        "  ",
                        "e\xCC\x81",
                        "\xCC\xB7",
                        "\xE2\x80\x8B",
                        "\xD0\xB0",
                        "\xEF\xBD\x82",
                        "\xEF\xAC\x81",
                        "\xE7\x82\xB8",
                        "\xE5\xBC\xB9",
                        "\xEA\xB0\x80",
                        "\xEA\xB0\x81",
                        "\xFF",
                        "\xE2\x82",
                        "\x01",
                        "\xCC\xA3"};

std::string random_parts(std::mt19937& random, std::size_t n_kinds, std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += kParts[random() % n_kinds];
  return out;
}

/// Lists that compile. Few kinds of parts make many hits.
PhraseLists random_lists(std::mt19937& random, std::size_t n_kinds) {
  for (;;) {
    PhraseLists lists;
    for (Phrases* list : {&lists.deny, &lists.allow}) {
      const std::size_t n = (list == &lists.deny ? 1 : 0) + random() % 3;
      for (std::size_t i = 0; i < n; ++i) {
        std::string phrase = random_parts(random, n_kinds, 1 + random() % 4);
        if (list == &lists.allow && random() % 2 == 0 && !lists.deny.empty())
          phrase += lists.deny[0] + random_parts(random, n_kinds, random() % 2);
        if (!find_invalid_utf8(phrase)) list->push_back(phrase);
      }
    }
    for (bool Folding::*which : {&Folding::letter_case, &Folding::width, &Folding::confusables,
                                 &Folding::invisible, &Folding::spaced_out, &Folding::leetspeak})
      lists.folding.*which = random() % 2 == 0;
    if (!lists.deny.empty() && PhraseMatcher::compile(lists).ok()) return lists;
  }
}

std::string described(const PhraseLists& lists) {
  std::string out;
  for (const Phrases* list : {&lists.deny, &lists.allow}) {
    out += list == &lists.deny ? "deny" : " allow";
    for (const std::string& phrase : *list) out += " <" + phrase + ">";
  }
  for (bool Folding::*which : {&Folding::letter_case, &Folding::width, &Folding::confusables,
                               &Folding::invisible, &Folding::spaced_out, &Folding::leetspeak})
    out += lists.folding.*which ? " 1" : " 0";
  return out;
}

}  // namespace

TEST_CASE("phrases: whole words, by default in any case and width", "[guard]") {
  const PhraseMatcher matcher = matcher_of({"bomb", "kill you", "C++", "caf\xC3\xA9"});
  CHECK(found(matcher, "a BOMB.") == "0:BOMB");
  CHECK(found(matcher, "bomb") == "0:bomb");
  CHECK(found(matcher, "bombs, a bombe, 2bomb, bomb2").empty());
  CHECK(found(matcher, "I'll kill \n you") == "1:kill \n you");
  CHECK(found(matcher, "kill, you").empty());
  CHECK(found(matcher, "in c++!") == "2:c++");
  CHECK(found(matcher, "cafe\xCC\x81") == "3:cafe\xCC\x81");
  CHECK(found(matcher, "cafe").empty());
  CHECK(found(matcher, "b\xE2\x80\x8Bomb \xEF\xBD\x82") == "0:b\xE2\x80\x8Bomb");
  CHECK(found(matcher, "b o m b, b0mb, b\xD0\xBEmb").empty());
  CHECK(found(matcher, "").empty());
  CHECK(found(matcher_of({"cafe"}), "caf\xC3\xA9").empty());  // the mark belongs to the word
}

TEST_CASE("phrases: scripts without spaces between words", "[guard]") {
  const PhraseMatcher matcher = matcher_of({"\xE7\x82\xB8\xE5\xBC\xB9", "\xEA\xB0\x80"});
  CHECK(found(matcher,
              "\xE5\x81\x9A\xE7\x82\xB8\xE5\xBC\xB9"
              "123") == "0:\xE7\x82\xB8\xE5\xBC\xB9");
  CHECK(found(matcher, "\xEA\xB0\x80\xEB\x8A\x94") == "1:\xEA\xB0\x80");
  CHECK(found(matcher, "\xEA\xB0\x81").empty());  // one syllable more than the phrase's
}

TEST_CASE("phrases: spelt out", "[guard]") {
  Folding folding;
  folding.spaced_out = true;
  const PhraseMatcher matcher =
      matcher_of({"bomb", "kill you", "to", "\xE7\x82\xB8\xE5\xBC\xB9"}, {}, folding);
  CHECK(found(matcher, "build a b o m b at home") == "0:b o m b");
  CHECK(found(matcher, "B.o.M.b") == "0:B.o.M.b");
  CHECK(found(matcher, "b - o - m - b!") == "0:b - o - m - b");
  CHECK(found(matcher, "k i l l   y o u") == "1:k i l l   y o u");
  CHECK(found(matcher, "kill-you") == "1:kill-you");
  CHECK(found(matcher, "bo mb, b o m bs, t o, b!o!m!b").empty());
  CHECK(found(matcher, "\xE7\x82\xB8 \xE5\xBC\xB9") == "3:\xE7\x82\xB8 \xE5\xBC\xB9");
}

TEST_CASE("phrases: leetspeak", "[guard]") {
  Folding folding;
  folding.leetspeak = true;
  const PhraseMatcher matcher = matcher_of({"bomb", "kill", "ass", "c4", "lol", "1488"}, {}, folding);
  CHECK(found(matcher, "B0M8") == "0:B0M8");
  CHECK(found(matcher, "k1||") == "1:k1||");
  CHECK(found(matcher, "an @$$!").empty());  // no letter is left
  CHECK(found(matcher, "an @s$!") == "2:@s$");
  CHECK(found(matcher, "CA 455 101 8088").empty());
  CHECK(found(matcher, "c4") == "3:c4");
  CHECK(found(matcher, "1488") == "5:1488");
  CHECK(found(matcher_of({"b o m b"}, {}, kAll), "\xEF\xBC\xA2 . 0 . \xD0\xBC\xCC\xB7 . 8") ==
        "0:\xEF\xBC\xA2 . 0 . \xD0\xBC\xCC\xB7 . 8");
}

TEST_CASE("phrases: allow lifts the hits within it", "[guard]") {
  const PhraseMatcher matcher = matcher_of({"ass", "hat", "fat ass hat trick", "b c"}, {"ass hat", "a b"});
  CHECK(found(matcher, "an ass hat").empty());
  CHECK(found(matcher, "an ass hat, an ass") == "0:ass");
  CHECK(found(matcher, "fat ass hat trick") == "2:fat ass hat trick");
  CHECK(found(matcher, "ass hats") == "0:ass");
  CHECK(found(matcher, "a b c") == "3:b c");  // overlaps, and does not lie within
  CHECK(found(matcher_of({"you fool now", "fool"}), "you fool now") ==
        "1:fool");  // the first that is complete
  CHECK(found(matcher_of({"you fool", "fool"}), "you fool now") == "0:you fool");  // the longest of those
}

TEST_CASE("phrases: what lists are refused for", "[guard]") {
  CHECK(error_of({""}) == "lists.deny[0]: an empty phrase; expected 1 to 1000 bytes");
  CHECK(error_of({"a", std::string(1001, 'a')}) == "lists.deny[1]: 1001 bytes; expected at most 1000");
  CHECK(error_of({"a"}, {"b\xFF"}) == "lists.allow[0]: not UTF-8 at byte 1");
  CHECK(error_of({"a", "\xE2\x80\x8B "}).find("lists.deny[1]: folding leaves nothing of") == 0);
  CHECK(error_of({"a", "b", "A"}).find("lists.deny[2]: \"A\" is the same phrase as lists.deny[0], \"a\"") ==
        0);
  CHECK(error_of({"a", "b c"}, {"B  C"}).find("lists.allow[0]: \"B  C\" is denied, too: lists.deny[1] is") ==
        0);
  CHECK(error_of({"a-b", "a b"}, {}, kAll).find("lists.deny[1]") == 0);
  CHECK(error_of(Phrases(2000, std::string(900, 'a'))).find("lists: 1800000 bytes of phrases") == 0);
  Folding exact;
  exact.letter_case = false;
  CHECK(PhraseMatcher::compile({{"a", "A"}, {}, exact, false}).ok());
  CHECK_FALSE(matcher_of({}).has_deny_phrases());
  CHECK_FALSE(matcher_of({}, {"a"}).has_deny_phrases());
  CHECK(found(PhraseMatcher(), "a").empty());
}

TEST_CASE("phrases: the same hits as every phrase at every place", "[guard]") {
  constexpr unsigned kSeed = 1503;
  std::mt19937 random(kSeed);
  int n_hits = 0, n_lifted = 0;
  for (int i = 0; i < q3g_test::iterations(3000); ++i) {
    const std::size_t n_kinds = 3 + random() % (kParts.size() - 2);
    const PhraseLists lists = random_lists(random, n_kinds);
    const PhraseMatcher matcher = *PhraseMatcher::compile(lists);
    for (int k = 0; k < 6; ++k) {
      std::string text = random_parts(random, n_kinds, random() % 24);
      if (!lists.allow.empty() && random() % 2 == 0)
        text = random_parts(random, n_kinds, 2) + lists.allow[0] + " ";
      const auto expected = naive_find(text, lists);
      CAPTURE(kSeed, i, k, text, described(lists));
      const auto hit = matcher.find(text);
      REQUIRE(hit.has_value() == expected.has_value());
      n_lifted +=
          !lists.allow.empty() && !hit && naive_find(text, {lists.deny, {}, lists.folding, false}) ? 1 : 0;
      if (!hit) continue;
      ++n_hits;
      REQUIRE(hit->byte_begin == expected->byte_begin);
      REQUIRE(hit->byte_end == expected->byte_end);
      REQUIRE(hit->phrase == expected->phrase);
    }
  }
  CHECK(n_hits > 100);
  CHECK(n_lifted > 10);
}

TEST_CASE("scanner: text in pieces, and what may be taken back", "[guard]") {
  PhraseScanner scanner(matcher_of({"sex", "ass"}, {"ass hat"}));
  const auto pushed = [&](std::string_view text) {
    scanner.push(text);
    return scanner.hit();
  };
  CHECK_FALSE(pushed("a se"));
  CHECK(pushed("x") == ScannedHit{{0, 2, 5}, false});
  CHECK_FALSE(pushed("ton "));
  CHECK_FALSE(pushed("an a"));
  CHECK(pushed("ss") == ScannedHit{{1, 12, 15}, false});
  CHECK(pushed(" h") == ScannedHit{{1, 12, 15}, false});
  const PhraseScanner mark = scanner;
  CHECK_FALSE(pushed("at"));
  scanner = mark;
  CHECK(pushed("ouse of ") == ScannedHit{{1, 12, 15}, true});
  CHECK(pushed("sex") == ScannedHit{{1, 12, 15}, true});
  CHECK(scanner.n_bytes() == 28);
}

TEST_CASE("scanner: any cut gives what the whole text gives, at every place", "[guard]") {
  constexpr unsigned kSeed = 1504;
  std::mt19937 random(kSeed);
  int n_settled = 0;
  for (int i = 0; i < q3g_test::iterations(1500); ++i) {
    const std::size_t n_kinds = 3 + random() % (kParts.size() - 2);
    const PhraseLists lists = random_lists(random, n_kinds);
    const PhraseMatcher matcher = *PhraseMatcher::compile(lists);
    const std::string text = random_parts(random, n_kinds, random() % 60);
    CAPTURE(kSeed, i, text, described(lists));
    PhraseScanner scanner(matcher);
    std::optional<PhraseHit> settled;
    for (std::size_t pos = 0; pos < text.size();) {
      const std::size_t n = std::min<std::size_t>(1 + random() % 3, text.size() - pos);
      scanner.push(std::string_view(text).substr(pos, n));
      pos += n;
      const auto hit = scanner.hit();
      const auto expected = naive_find(std::string_view(text).substr(0, pos), lists);
      CAPTURE(pos);
      REQUIRE(hit.has_value() == expected.has_value());
      if (hit) REQUIRE(hit->hit == *expected);
      if (settled) {
        REQUIRE(hit);
        REQUIRE(hit->is_settled);
        REQUIRE(hit->hit == *settled);
      }
      if (hit && hit->is_settled) settled = hit->hit;
    }
    n_settled += settled ? 1 : 0;
  }
  CHECK(n_settled > 5);
}

TEST_CASE("phrases: long texts and hostile ones", "[guard]") {
  constexpr std::size_t kBytes = std::size_t{1} << 18;
  const Phrases deny = {"needle in hay", std::string(1000, 'b'), "a b"},
                allow = {"a b a", "b a b", "a b a b a b a b"};
  const PhraseMatcher matcher = matcher_of(deny, allow, kAll);
  for (const char* part : {"hay ", "\xCC\x81", "\xD0\xB0", "a ", "a", "needle in ha ", "a b ", "\xE2\x80\x8B",
                           "4", "| ", "\x01", "\xFF"}) {
    std::string text = "a";
    while (text.size() < kBytes * static_cast<std::size_t>(q3g_test::iterations(8)) / 8) text += part;
    CAPTURE(part);
    CHECK(found(matcher, text + " x").empty());
    CHECK(found(matcher, text + " Needle-in hay") == "0:Needle-in hay");
  }
}
