// SPDX-License-Identifier: Apache-2.0
// Long texts take little more memory than themselves and their ids, and those that have too many tokens none.
#include <algorithm>

#include "heap_peak.hpp"
#include "q3g_catch.hpp"
#include "tokenizer/nfc.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using q3g_test::HeapPeak;

namespace {

constexpr std::size_t kTextBytes = std::size_t{1} << 20;
/// What does not depend on the text's length.
constexpr std::size_t kFixedBytes = std::size_t{1} << 20;

/// Texts that are one word, or one sequence for NFC, or grow in it.
const std::vector<std::string>& units() {
  static const std::vector<std::string> all = {
      "\xF0\x9D\x85\xA0",          // U+1D160: 12 bytes in NFC
      "\xCC\x81",                  // a mark
      "\xCC\x81\xCC\x96\xCD\x84",  // marks in the wrong order, one of them two
      "e\xCC\x81",                 // joins
      "\xE1\x85\xA1",              // U+1161: joins a consonant before it, not itself
      "\xE1\x84\x80\xE1\x85\xA1",  // Hangul syllables in parts
      "\xE4\xB8\xBA",              // letters without a space
      "a",
      " ",
      "\n",
      "word "};
  return all;
}

std::string repeated(std::string_view unit, std::size_t n_bytes) {
  std::string text;
  text.reserve(n_bytes + unit.size());
  while (text.size() < n_bytes) text += unit;
  return text;
}

std::vector<Tokenizer> tokenizers(Tokenizer first = test::small_tokenizer()) {
  std::vector<Tokenizer> out = {std::move(first)};
  if (const std::string path = test::qwen3_path(); !path.empty())
    out.push_back(Tokenizer::load(path).value());
  return out;
}

}  // namespace

TEST_CASE("long text: encoding takes at most three times its bytes beside the ids", "[tokenizer][memory]") {
  for (const Tokenizer& tokenizer : tokenizers()) {
    for (const std::string& unit : units()) {
      const std::string text = repeated(unit, kTextBytes);
      std::vector<TokenId> ids;
      ids.reserve(3 * text.size());
      const HeapPeak peak;
      tokenizer.encode_to(text, SpecialTokens::as_text, ids).throw_if_error();
      CAPTURE(unit, ids.size(), peak.bytes(), text.size());
      CHECK(peak.bytes() <= 3 * text.size() + kFixedBytes);
      CHECK(tokenizer.decode(ids).value().size() >= text.size() / detail::kMaxNfcShrinkage);
    }
  }
}

TEST_CASE("long text: with a bound on its tokens, memory has one, too", "[tokenizer][memory]") {
  // The small one has a token that takes any amount of white space along, so that no length is too long for
  // it.
  for (const Tokenizer& tokenizer : tokenizers(test::JsonParts().load().value())) {
    const detail::TokenizerImpl& impl = detail::TokenizerAccess::impl(tokenizer);
    for (std::size_t i = 0; i < 2 * units().size(); ++i) {
      // Too long to be looked at, for most; and long enough to find out.
      const std::size_t n_most = i % 2 == 0 ? 1000 : 5000;
      const std::string& unit = units()[i / 2];
      const std::string text = repeated(unit, kTextBytes);
      std::vector<TokenId> ids = {7};
      const HeapPeak peak;
      const Status status = detail::encode_within(impl, text, SpecialTokens::as_text, n_most, ids);
      CAPTURE(unit, n_most, peak.bytes());
      REQUIRE_FALSE(status.ok());
      CHECK(status.error().code == ErrorCode::context_full);
      CHECK(status.error().detail == "text: more than " + std::to_string(n_most) + " tokens");
      CHECK(ids == std::vector<TokenId>{7});
      // The tokens, what they can be of the text in NFC, and a window of a word.
      CHECK(peak.bytes() <= kFixedBytes + 128 * n_most);
    }
    // Ill-formed text that is far too long is not looked at.
    std::vector<TokenId> ids;
    const std::string bad(kTextBytes, '\xFF');
    CHECK(detail::encode_within(impl, bad, SpecialTokens::as_text, 1, ids).error().code ==
          ErrorCode::context_full);
  }
}

TEST_CASE("long text: the bound is exact", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 91;
  INFO("seed " << kSeed);
  test::RandomText random(kSeed);
  for (const Tokenizer& tokenizer : tokenizers()) {
    const detail::TokenizerImpl& impl = detail::TokenizerAccess::impl(tokenizer);
    for (int i = 0; i < 500; ++i) {
      std::string text = random.next();
      for (const SpecialTokens mode : {SpecialTokens::as_text, SpecialTokens::recognized}) {
        const auto all = tokenizer.encode(text, mode).value();
        CAPTURE(text, all.size());
        REQUIRE(text.size() <= impl.max_text_bytes(all.size()));
        for (const std::size_t n :
             {std::size_t{0}, all.size() / 2, all.size() - std::min<std::size_t>(1, all.size()), all.size(),
              all.size() + 1}) {
          std::vector<TokenId> ids = {7};
          const Status status = detail::encode_within(impl, text, mode, 1 + n, ids);
          REQUIRE(status.ok() == (all.size() <= n));
          if (status.ok()) REQUIRE(std::equal(ids.begin() + 1, ids.end(), all.begin(), all.end()));
          if (!status.ok()) REQUIRE(ids == std::vector<TokenId>{7});
        }
      }
    }
  }
}

TEST_CASE("long text: words in windows have the ids of whole ones", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 92;
  INFO("seed " << kSeed);
  test::RandomText random(kSeed);
  for (const Tokenizer& tokenizer : tokenizers()) {
    const detail::Bpe& bpe = detail::TokenizerAccess::impl(tokenizer).bpe();
    std::vector<std::string> words;
    for (const std::string& unit : units()) words.push_back(repeated(unit, 20'000));
    for (int i = 0; i < 20; ++i) {
      std::string word;
      while (word.size() < 2000) word += random.next();
      words.push_back(std::move(word));
    }
    for (const std::string& word : words) {
      detail::BpeScratch whole, windows;
      whole.window_bytes = word.size();
      std::vector<TokenId> expected;
      bpe.encode_word(word, whole, expected);
      for (const std::size_t n_bytes : {70u, 300u, 1024u}) {
        windows.window_bytes = n_bytes;
        std::vector<TokenId> ids;
        bpe.encode_word(word, windows, ids);
        CAPTURE(n_bytes, word.substr(0, 40));
        REQUIRE(ids == expected);
      }
    }
  }
}

TEST_CASE("long text: NFC does not depend on how much of it is kept at a time", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 93;
  INFO("seed " << kSeed);
  test::RandomText random(kSeed);
  // Starters, starters that join others, and marks of several classes, some of which join or come apart.
  constexpr std::uint32_t kCodePoints[] = {'a',    'e',    0x3B9,  0x1FBE, 0x1100,  0x1161,  0x11A8,  0xAC00,
                                           0x0915, 0x0958, 0x09C7, 0x09BE, 0x9D7,   0x301,   0x300,   0x308,
                                           0x344,  0x316,  0x323,  0x345,  0x313,   0x342,   0x93C,   0x5B5,
                                           0x338,  0xE9,   0x1E69, 0x212B, 0x1D160, 0x1D165, 0x1D16E, 0x1ACC};
  for (int i = 0; i < 3000; ++i) {
    std::string text;
    for (std::uint64_t n = random.below(80); n > 0; --n) {
      // Often several marks in a row.
      const std::size_t from = random.below(4) == 0 ? 0 : 13;
      detail::append_utf8(kCodePoints[from + random.below(std::size(kCodePoints) - from)], text);
    }
    detail::NfcScratch all, little;
    all.max_pending = all.max_marks = text.size();
    std::string expected, out;
    REQUIRE(detail::append_nfc(text, all, expected));
    CAPTURE(text);
    for (const std::size_t n : {0u, 1u, 5u}) {
      little.max_pending = little.max_marks = n;
      out.clear();
      REQUIRE(detail::append_nfc(text, little, out));
      REQUIRE(out == expected);
    }
    REQUIRE(text.size() <= detail::kMaxNfcShrinkage * expected.size());
    // It stops at a bound, and never says that it did without.
    out.clear();
    CHECK(detail::append_nfc(text, little, out, nullptr, expected.size()));
    if (!expected.empty()) CHECK_FALSE(detail::append_nfc(text, little, out, nullptr, expected.size() - 1));
  }
}
