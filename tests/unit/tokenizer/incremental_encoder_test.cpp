// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/incremental_encoder.hpp"

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using detail::ByteRange;
using detail::IncrementalEncoder;

namespace {

/// Qwen's own rules, a small vocabulary.
Tokenizer nano_tokenizer() {
  return Tokenizer::load(std::string(Q3G_TEST_DIR) + "/../src/embedded/nano-stream").value();
}

/// The small one has added tokens that take white space along and some that are normalised: texts of such a
/// tokenizer are never cut.
std::vector<Tokenizer> tokenizers() {
  std::vector<Tokenizer> all = {test::small_tokenizer(), nano_tokenizer()};
  if (const std::string path = test::qwen3_path(); !path.empty())
    all.push_back(Tokenizer::load(path).value());
  return all;
}

/// `text` without the bytes of a last character that is not complete, and U+FFFD for what is ill-formed.
std::string readable(std::string_view text) {
  for (std::size_t pos = 0; pos < text.size();) {
    const detail::Utf8Step step = detail::utf8_step(text, pos);
    if (step.truncated) text = text.substr(0, pos);
    pos += step.n_bytes;
  }
  return detail::replace_invalid_utf8(text);
}

void check_equal(const IncrementalEncoder& encoder, const Tokenizer& tokenizer, std::string_view text) {
  REQUIRE(encoder.n_bytes() == text.size());
  REQUIRE(encoder.text() == text);
  const auto expected = tokenizer.encode(readable(text)).value();
  REQUIRE(std::vector<TokenId>(encoder.ids().begin(), encoder.ids().end()) == expected);
  // The ranges are in order and leave no gap; the last ends where the readable text does.
  std::size_t end = 0, begin = 0;
  bool in_order = true;
  for (const ByteRange& range : encoder.ranges()) {
    in_order =
        in_order && range.begin <= end && range.begin >= begin && range.end >= end && range.end > range.begin;
    begin = range.begin;
    end = range.end;
  }
  REQUIRE(in_order);
  REQUIRE(end <= text.size());
  REQUIRE(end + 4 > text.size());
  REQUIRE(encoder.n_settled() <= encoder.n_tokens());
}

/// Text with everything that reaches over a border: marks, contractions, white space, added tokens and the
/// beginnings of some, runs of one letter.
std::string hard_text(test::RandomText& random, std::size_t n_parts) {
  static const std::string kParts[] = {"<think>",
                                       "</think>",
                                       "<|im_end|>",
                                       "<|im_",
                                       "<thi",
                                       "<",
                                       "e\xCC\x81",
                                       "\xCC\x81",
                                       "\xCC\x81\xCC\xA7",
                                       "\xE1\x84\x80",
                                       "\xE1\x85\xA1",
                                       "\xE1\x86\xA8",
                                       "'r",
                                       "e",
                                       "'l",
                                       "l",
                                       "   ",
                                       "\n\n ",
                                       "  \n",
                                       "!?",
                                       "aaaaaa",
                                       "12345",
                                       " = \xCC\xB8",
                                       "\xE2\x84\xAB",
                                       "' \xC5\xBF",
                                       "ll",
                                       " word",
                                       "Hello",
                                       " \xE4\xBD\xA0\xE5\xA5\xBD"};
  std::string text;
  for (std::size_t i = 0; i < n_parts; ++i)
    text += random.below(3) == 0 ? random.next() : kParts[random.below(std::size(kParts))];
  return text;
}

}  // namespace

TEST_CASE("incremental encoder: pieces give the tokens of the whole, wherever they are cut", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 9101;
  for (const Tokenizer& tokenizer : tokenizers()) {
    test::RandomText random(kSeed);
    for (int i = 0; i < q3g_test::iterations(600); ++i) {
      const std::string text = hard_text(random, 1 + random.below(14));
      CAPTURE(kSeed, i, text);
      IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
      const std::size_t longest = 1 + random.below(9);
      std::vector<TokenId> settled;
      for (std::size_t pos = 0; pos < text.size();) {
        const std::size_t n = std::min<std::size_t>(random.below(longest + 1), text.size() - pos);
        const std::vector<TokenId> before(encoder.ids().begin(), encoder.ids().end());
        REQUIRE(encoder.append(std::string_view(text).substr(pos, n)).ok());
        pos += n;
        check_equal(encoder, tokenizer, std::string_view(text).substr(0, pos));
        // What was called settled, or unchanged, is.
        REQUIRE(encoder.n_settled() >= settled.size());
        REQUIRE(std::equal(settled.begin(), settled.end(), encoder.ids().begin()));
        settled.assign(encoder.ids().begin(),
                       encoder.ids().begin() + static_cast<std::ptrdiff_t>(encoder.n_settled()));
        REQUIRE(encoder.n_unchanged() <= before.size());
        REQUIRE(std::equal(before.begin(),
                           before.begin() + static_cast<std::ptrdiff_t>(encoder.n_unchanged()),
                           encoder.ids().begin()));
      }
      REQUIRE(encoder.finish().ok());
      check_equal(encoder, tokenizer, text);
      REQUIRE(encoder.n_settled() == encoder.n_tokens());
      REQUIRE(encoder.append("x").error().code == ErrorCode::invalid_argument);
    }
  }
}

TEST_CASE("incremental encoder: bytes can be taken back anywhere", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 9102;
  for (const Tokenizer& tokenizer : tokenizers()) {
    test::RandomText random(kSeed);
    for (int i = 0; i < q3g_test::iterations(200); ++i) {
      IncrementalEncoder encoder(tokenizer, InvalidUtf8::replace);
      std::string text;
      for (int step = 0; step < 12; ++step) {
        CAPTURE(kSeed, i, step, text);
        if (random.below(2) == 0) {
          std::string more = hard_text(random, 1 + random.below(60));
          if (random.below(2) == 0) more.insert(random.below(more.size()), "\xE2\x82");
          if (encoder.is_finished()) REQUIRE(encoder.truncate(text.size()).ok());
          REQUIRE(encoder.append(more).ok());
          text += more;
        } else {
          const std::size_t n = random.below(3) == 0
                                    ? random.below(text.size() + 1)
                                    : text.size() - random.below(std::min<std::size_t>(40, text.size() + 1));
          REQUIRE(encoder.truncate(n).ok());
          text.resize(n);
        }
        check_equal(encoder, tokenizer, text);
        // A change that is undone leaves no trace.
        const std::size_t n_settled = encoder.n_settled();
        if (random.below(2) == 0) {
          REQUIRE(encoder.truncate(random.below(text.size() + 1)).ok());
        } else {
          REQUIRE(encoder.append(hard_text(random, 3)).ok());
        }
        encoder.undo();
        check_equal(encoder, tokenizer, text);
        REQUIRE(encoder.n_settled() == n_settled);
        if (random.below(5) == 0) REQUIRE(encoder.finish().ok());
      }
    }
  }
}

TEST_CASE("incremental encoder: plain text settles word by word", "[tokenizer]") {
  IncrementalEncoder encoder(nano_tokenizer(), InvalidUtf8::reject);
  const std::string text =
      "The quick brown fox jumps over the lazy dog. It is not amused, and neither are we; ";
  std::string all;
  for (int i = 0; i < 50; ++i) {
    for (const char c : text) {
      REQUIRE(encoder.append({&c, 1}).ok());
      all.push_back(c);
      const std::size_t settled_bytes =
          encoder.n_settled() == 0 ? 0 : encoder.ranges()[encoder.n_settled() - 1].end;
      // Two words at most are open.
      REQUIRE(all.size() - settled_bytes < 24);
    }
  }
}

TEST_CASE("incremental encoder: what is ill-formed is refused and nothing changes", "[tokenizer]") {
  const Tokenizer tokenizer = test::small_tokenizer();
  IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
  REQUIRE(encoder.append("caf\xC3").ok());  // may still become a character
  check_equal(encoder, tokenizer, "caf\xC3");
  const Status bad = encoder.append("\xC3\xA9");
  REQUIRE(bad.error().code == ErrorCode::invalid_utf8);
  CHECK(bad.error().detail.find("byte 3") != std::string::npos);
  check_equal(encoder, tokenizer, "caf\xC3");
  CHECK(encoder.n_incomplete_bytes() == 1);
  REQUIRE(encoder.append("\xA9").ok());
  CHECK(encoder.n_incomplete_bytes() == 0);
  check_equal(encoder, tokenizer, "caf\xC3\xA9");
  REQUIRE(encoder.truncate(4).ok());
  REQUIRE(encoder.append("\xA8").ok());
  check_equal(encoder, tokenizer, "caf\xC3\xA8");
}

TEST_CASE("incremental encoder: a finished text's broken last character is left out", "[tokenizer]") {
  const Tokenizer tokenizer = test::small_tokenizer();
  IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject, 2);
  REQUIRE(encoder.append("ab\xE2\x82").ok());
  REQUIRE(encoder.finish().ok());
  CHECK(tokenizer.decode(encoder.ids()).value() == "ab");
  CHECK(encoder.n_settled() == encoder.n_tokens());
  CHECK(encoder.n_bytes() == 4);
  CHECK(encoder.n_incomplete_bytes() == 2);
  // It may go on all the same, and what does not fit is named by its place behind the prefix.
  encoder.undo();
  CHECK(encoder.append("x").error().detail.find("byte 0") != std::string::npos);
  REQUIRE(encoder.append("\xAC").ok());
  REQUIRE(encoder.finish().ok());
  CHECK(tokenizer.decode(encoder.ids()).value() == "ab\xE2\x82\xAC");
}

TEST_CASE("incremental encoder: a finished text's broken last character is replaced", "[tokenizer]") {
  const Tokenizer tokenizer = test::small_tokenizer();
  IncrementalEncoder encoder(tokenizer, InvalidUtf8::replace);
  REQUIRE(encoder.append("ab\xE2\x82").ok());
  check_equal(encoder, tokenizer, "ab\xE2\x82");
  REQUIRE(encoder.finish().ok());
  CHECK(tokenizer.decode(encoder.ids()).value() == "ab\xEF\xBF\xBD");
  CHECK(encoder.ranges().back().end == 4);
}

TEST_CASE("incremental encoder: what is too long is known before it is read", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 78;
  INFO("seed " << kSeed);
  test::RandomText random(kSeed);
  for (const Tokenizer& tokenizer : tokenizers()) {
    for (int i = 0; i < 12; ++i) {
      IncrementalEncoder encoder(tokenizer, i % 2 == 0 ? InvalidUtf8::replace : InvalidUtf8::reject);
      for (int n = 0; n < i; ++n) encoder.append(hard_text(random, 10)).throw_if_error();
      if (i % 3 == 0) encoder.drop_before(encoder.n_settled());
      std::string more;
      while (more.size() <= 4096) more += hard_text(random, 50);
      if (i % 2 == 0) more += "\xFF\xE4\xB8";
      IncrementalEncoder after = encoder;
      after.append(more).throw_if_error();
      // Of a character that is not complete at the end it is not known whether it counts.
      const std::size_t n = after.n_tokens();
      CAPTURE(i, n, more.size());
      CHECK_FALSE(encoder.exceeds(more, n + 1));
      CHECK(encoder.exceeds(more, n - 1));
      CHECK(encoder.exceeds(more, encoder.n_tokens() + 10));
      CHECK(encoder.exceeds(more, 0));
      CHECK_FALSE(encoder.exceeds("few", 0));
    }
  }
}

TEST_CASE("incremental encoder: what was dropped makes no difference", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 9103;
  const std::vector<Tokenizer> all = tokenizers();
  for (const Tokenizer& tokenizer : all) {
    test::RandomText random(kSeed);
    const bool is_cut = &tokenizer != &all.front();
    IncrementalEncoder whole(tokenizer, InvalidUtf8::replace), dropping(tokenizer, InvalidUtf8::replace);
    std::size_t most_kept = 0;
    for (int i = 0; i < 150; ++i) {
      const std::string more = hard_text(random, 4);
      REQUIRE(whole.append(more).ok());
      REQUIRE(dropping.append(more).ok());
      REQUIRE(dropping.n_tokens() == whole.n_tokens());
      REQUIRE(dropping.n_bytes() == whole.n_bytes());
      REQUIRE(std::equal(dropping.ids().begin(), dropping.ids().end(),
                         whole.ids().begin() + static_cast<std::ptrdiff_t>(dropping.dropped_tokens())));
      REQUIRE(std::equal(dropping.ranges().begin(), dropping.ranges().end(),
                         whole.ranges().begin() + static_cast<std::ptrdiff_t>(dropping.dropped_tokens())));
      if (dropping.n_tokens() > 100) dropping.drop_before(dropping.n_tokens() - 100);
      most_kept = std::max(most_kept, dropping.ids().size());
    }
    if (is_cut) CHECK(most_kept < 1000);
    CHECK(whole.n_tokens() > 2000);
  }
}

TEST_CASE("incremental encoder: a tokenizer of another kind is encoded whole each time", "[tokenizer]") {
  const Tokenizer tokenizer = Tokenizer::load(test::small_path("two_files")).value();
  IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
  std::string text;
  for (const char* piece : {"Hel", "lo w", "orld 1", "23 <think", ">", "x"}) {
    REQUIRE(encoder.append(piece).ok());
    text += piece;
    check_equal(encoder, tokenizer, text);
  }
}
