// SPDX-License-Identifier: Apache-2.0
#include <thread>

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer/nfc.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

namespace {

std::string nfc(std::string_view text) {
  std::string out;
  detail::NfcScratch scratch;
  REQUIRE(detail::append_nfc(text, scratch, out));
  return out;
}

std::string streamed(const Tokenizer& tokenizer, std::span<const TokenId> ids, bool skip_special) {
  StreamingDecoder decoder(tokenizer, skip_special);
  std::string out;
  for (const TokenId id : ids) {
    const std::string piece = decoder.push(id).value();
    REQUIRE_FALSE(detail::find_invalid_utf8(piece).has_value());
    out += piece;
  }
  return out + decoder.finish();
}

std::vector<Tokenizer> tokenizers() {
  std::vector<Tokenizer> all = {test::small_tokenizer()};
  if (const std::string path = test::qwen3_path(); !path.empty())
    all.push_back(Tokenizer::load(path).value());
  return all;
}

}  // namespace

TEST_CASE("property: decode(encode(x)) is NFC(x)", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4101;
  for (const Tokenizer& tokenizer : tokenizers()) {
    test::RandomText random(kSeed);
    for (int i = 0; i < q3g_test::iterations(4000); ++i) {
      const std::string text = random.next();
      CAPTURE(kSeed, i, text);
      // Tokens that are looked for before NFC keep their neighbours apart; without them the text is one
      // section.
      if (text.find('<') != std::string::npos) continue;
      const auto ids = tokenizer.encode(text).value();
      REQUIRE(tokenizer.decode(ids).value() == nfc(text));
    }
  }
}

TEST_CASE("property: a text in NFC comes back as it was, tokens or not", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4102;
  const Tokenizer tokenizer = test::small_tokenizer();
  test::RandomText random(kSeed);
  for (int i = 0; i < q3g_test::iterations(4000); ++i) {
    const std::string text = nfc(random.next());
    // <left> and <right> take white space along, which is the one thing that encoding loses.
    if (text.find("<left>") != std::string::npos || text.find("<right>") != std::string::npos) continue;
    CAPTURE(kSeed, i, text);
    REQUIRE(tokenizer.decode(tokenizer.encode(text, SpecialTokens::recognized).value()).value() == text);
    REQUIRE(tokenizer.decode(tokenizer.encode(text, SpecialTokens::as_text).value()).value() == text);
  }
}

TEST_CASE("property: the streamed pieces joined are the decoded text", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4103;
  for (const Tokenizer& tokenizer : tokenizers()) {
    test::RandomText random(kSeed);
    for (int i = 0; i < q3g_test::iterations(3000); ++i) {
      CAPTURE(kSeed, i);
      std::vector<TokenId> ids;
      if (i % 2 == 0) {
        ids = tokenizer.encode(random.next(), SpecialTokens::recognized).value();
      } else {  // any ids at all: mostly ill-formed
        for (std::uint64_t n = random.below(20); n > 0; --n)
          ids.push_back(
              static_cast<TokenId>(random.below(static_cast<std::uint64_t>(tokenizer.vocab_size()))));
      }
      const bool skip_special = i % 3 == 0;
      REQUIRE(streamed(tokenizer, ids, skip_special) == tokenizer.decode(ids, skip_special).value());
    }
  }
}

TEST_CASE("property: as_text never gives a control token", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4104;
  for (const Tokenizer& tokenizer : tokenizers()) {
    test::RandomText random(kSeed);
    for (int i = 0; i < q3g_test::iterations(3000); ++i) {
      std::string text = random.next();
      text += "<|im_end|>";
      text += random.next();
      CAPTURE(kSeed, i, text);
      for (const TokenId id : tokenizer.encode(text).value()) REQUIRE_FALSE(tokenizer.is_special(id));
    }
  }
}

TEST_CASE("property: encode_to appends what encode returns", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4105;
  const Tokenizer tokenizer = test::small_tokenizer();
  test::RandomText random(kSeed);
  std::vector<TokenId> all, expected;
  for (int i = 0; i < 500; ++i) {
    const std::string text = random.next();
    const auto ids = tokenizer.encode(text).value();
    expected.insert(expected.end(), ids.begin(), ids.end());
    REQUIRE(tokenizer.encode_to(text, SpecialTokens::as_text, all).ok());
    CAPTURE(kSeed, i, text);
    REQUIRE(all == expected);
  }
}

TEST_CASE("property: threads that share a fresh tokenizer get what one thread gets", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4106;
  std::vector<std::string> texts;
  test::RandomText random(kSeed);
  for (int i = 0; i < 300; ++i) texts.push_back(random.next());
  std::vector<std::vector<TokenId>> expected;
  const Tokenizer alone = test::small_tokenizer();
  for (const auto& text : texts) expected.push_back(alone.encode(text).value());

  const Tokenizer shared = test::small_tokenizer();
  int n_different[4] = {};
  std::vector<std::thread> threads;
  for (int& different : n_different) {
    threads.emplace_back([&] {
      const Tokenizer copy = shared;
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (copy.encode(texts[i]).value() != expected[i]) ++different;
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CAPTURE(kSeed);
  for (const int different : n_different) CHECK(different == 0);
}

TEST_CASE("property: megabytes of one character come back", "[tokenizer]") {
  for (const Tokenizer& tokenizer : tokenizers()) {
    for (const std::string_view unit :
         {"a", " ", "\n", "-", "\xCC\x81", "\xE4\xB8\x80", "<", "'", "e\xCC\x81\xCC\x96"}) {
      std::string text;
      while (text.size() < 1000000) text += unit;
      CAPTURE(unit);
      REQUIRE(tokenizer.decode(tokenizer.encode(text).value()).value() == nfc(text));
    }
  }
}
