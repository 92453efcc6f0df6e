// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/incremental_encoder.hpp"

#include <functional>

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer/nfc.hpp"
#include "tokenizer/qwen_scanner.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using detail::ByteRange;
using detail::IncrementalEncoder;

namespace {

/// Qwen's own rules, a small vocabulary.
Tokenizer tiny_tokenizer() {
  return Tokenizer::load(std::string(Q3G_TEST_DIR) + "/golden/tiny/stream").value();
}

/// The small one has added tokens that take white space along and some that are normalised: texts of such a
/// tokenizer are never cut.
std::vector<Tokenizer> tokenizers() {
  std::vector<Tokenizer> all = {test::small_tokenizer(), tiny_tokenizer()};
  if (const std::string path = test::qwen3_path(); !path.empty())
    all.push_back(Tokenizer::load(path).value());
  return all;
}

void check_equal(const IncrementalEncoder& encoder, const Tokenizer& tokenizer, std::string_view text) {
  REQUIRE(encoder.n_bytes() == text.size());
  REQUIRE(encoder.text() == text);
  const std::string_view covered = text.substr(0, text.size() - encoder.n_incomplete_bytes());
  const auto expected = tokenizer.encode(detail::replace_invalid_utf8(covered)).value();
  REQUIRE(std::vector<TokenId>(encoder.ids().begin(), encoder.ids().end()) == expected);
  // The ranges are in order and leave no gap; the last ends where the text does.
  std::size_t end = 0, begin = 0;
  bool in_order = true;
  for (const ByteRange& range : encoder.ranges()) {
    in_order =
        in_order && range.begin <= end && range.begin >= begin && range.end >= end && range.end > range.begin;
    begin = range.begin;
    end = range.end;
  }
  REQUIRE(in_order);
  REQUIRE(end == covered.size());
  // Only marks, many in a row, wait for more.
  if (encoder.n_incomplete_bytes() != detail::incomplete_bytes(text)) {
    REQUIRE(encoder.n_incomplete_bytes() > detail::incomplete_bytes(text));
    std::size_t n_marks = 0;
    for (std::size_t pos = text.size(); pos > 0 && n_marks < IncrementalEncoder::kMinOpenCharacters;) {
      pos = detail::previous_boundary(text, pos);
      const detail::Utf8Step step = detail::utf8_step(text, pos);
      if (step.truncated) continue;
      REQUIRE((step.complete && !detail::starts_nfc_part(step.code_point)));
      ++n_marks;
    }
    REQUIRE(n_marks == IncrementalEncoder::kMinOpenCharacters);
  }
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

/// Any of the units, n_bytes of them or a little more.
std::string any_of(test::RandomText& random, std::span<const std::string_view> units, std::size_t n_bytes) {
  std::string text;
  while (text.size() < n_bytes) text += units[random.below(units.size())];
  return text;
}

/// A stretch of text that is one word for the pre-tokeniser, or nearly so.
std::string long_run(test::RandomText& random, std::size_t n_bytes) {
  static const std::vector<std::vector<std::string_view>> kRuns = {
      {" "},
      {"\n"},
      {" ", "\n"},
      {"  ", "   ", " ", "\t", "\r\n", "\xC2\xA0", "\xE3\x80\x80"},
      {" ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", " ", "\n"},
      {"a"},
      {"ab"},
      {"a", "b", "c", "d", "e", "f"},
      {"t", "h", "e", "in", "g", "er", "on"},
      {"-"},
      {"=", "-"},
      {"!", "?", ".", ",", ";", ":", "(", "'", "\xE2\x80\x9C"},
      {"!", "?", "\n", "\n", "\n"},
      {"\xCC\x81"},
      {"\xCC\x81", "\xCC\x96", "\xCC\xB8"},
      {"e\xCC\x81", "o", "\xEA\xB0\x80"},
      {"\xE1\x84\x80", "\xE1\x85\xA1", "\xE1\x86\xA8"},
      {"\xE4\xBD\xA0", "\xE5\xA5\xBD", "\xE4\xB8\xBA", "\xEF\xA4\x80", "\xE9\xBE\x8D"},
      {"\xF0\x9F\x98\x80", "\xE2\x80\x8D", "\xEF\xB8\x8F", "\xF0\x9F\x91\xA9"},
      {"1", "2", "\xC2\xB2"},
      {"\xFF", "\xE2\x82", "!"}};
  return any_of(random, kRuns[random.below(kRuns.size())], n_bytes);
}

/// In JSON's escapes.
std::string qwen_pattern_json() {
  std::string out;
  for (const char c : detail::kQwenPattern) out += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return out;
}

/// Qwen's pattern with random merges over a few characters, which run into each other as no trained ones do.
Tokenizer random_tokenizer(std::uint64_t seed, bool ignore_merges) {
  test::RandomText random(seed);
  const std::string letters = "abc -\n";
  std::vector<std::string> tokens;
  for (const char c : letters) tokens.emplace_back(1, c);
  test::JsonParts parts;
  parts.vocabulary = test::byte_vocabulary();
  parts.merges = "[";
  std::size_t n_merges = 0;
  while (n_merges < 120) {
    // Mostly of the same kind, as words are.
    const std::string left = tokens[random.below(tokens.size())], right = tokens[random.below(tokens.size())];
    const std::string joined = left + right;
    if (joined.size() > 14 || std::find(tokens.begin(), tokens.end(), joined) != tokens.end()) continue;
    const auto quoted = [](const std::string& bytes) { return '"' + test::byte_level_json(bytes) + '"'; };
    parts.vocabulary += "," + quoted(joined) + ":" + std::to_string(256 + n_merges);
    parts.merges += (n_merges == 0 ? "[" : ",[") + quoted(left) + "," + quoted(right) + "]";
    tokens.push_back(joined);
    ++n_merges;
  }
  parts.merges += "]";
  parts.added = R"([{"id":400,"content":"<|end|>","special":true},{"id":401,"content":"a-a-a"}])";
  parts.pre_tokenizer = test::split_by(qwen_pattern_json());
  if (ignore_merges) parts.model_extra = R"(,"ignore_merges":true)";
  return parts.load().value();
}

void check_runs(const Tokenizer& tokenizer, std::uint64_t seed, int n_texts,
                const std::function<std::string(test::RandomText&)>& next) {
  test::RandomText random(seed);
  for (int i = 0; i < n_texts; ++i) {
    IncrementalEncoder encoder(tokenizer, InvalidUtf8::replace);
    std::string text;
    const std::size_t longest = random.below(3) == 0 ? 1 : 1 + random.below(40);
    for (int step = 0; step < 4; ++step) {
      const std::string more = next(random);
      for (std::size_t pos = 0; pos < more.size();) {
        const std::size_t n = std::min<std::size_t>(1 + random.below(longest), more.size() - pos);
        CAPTURE(seed, i, step, text, more.substr(pos, n));
        REQUIRE(encoder.append(std::string_view(more).substr(pos, n)).ok());
        text += more.substr(pos, n);
        pos += n;
        check_equal(encoder, tokenizer, text);
        const std::uint64_t what = random.below(24);
        if (what == 0) {
          const std::vector<TokenId> before(encoder.ids().begin(), encoder.ids().end());
          const std::size_t n_settled = encoder.n_settled();
          if (random.below(2) == 0) {
            REQUIRE(encoder.truncate(random.below(text.size() + 1)).ok());
          } else {
            REQUIRE(encoder.append(next(random)).ok());
          }
          encoder.undo();
          REQUIRE(std::equal(before.begin(), before.end(), encoder.ids().begin(), encoder.ids().end()));
          REQUIRE(encoder.n_settled() == n_settled);
          check_equal(encoder, tokenizer, text);
        } else if (what < 4) {
          text.resize(text.size() -
                      random.below(std::min<std::size_t>(what == 1 ? 200 : 8, text.size() + 1)));
          REQUIRE(encoder.truncate(text.size()).ok());
          check_equal(encoder, tokenizer, text);
        } else if (what == 4) {
          IncrementalEncoder whole = encoder;
          REQUIRE(whole.finish().ok());
          REQUIRE(whole.n_incomplete_bytes() == 0);
          REQUIRE(std::vector<TokenId>(whole.ids().begin(), whole.ids().end()) ==
                  tokenizer.encode(detail::replace_invalid_utf8(text)).value());
        }
      }
    }
  }
}

}  // namespace

TEST_CASE("incremental encoder: long words in pieces, with rewinds and undo", "[tokenizer]") {
  for (const Tokenizer& tokenizer : tokenizers()) {
    check_runs(tokenizer, 9104, q3g_test::iterations(60), [](test::RandomText& random) {
      return random.below(4) == 0 ? hard_text(random, 3) : long_run(random, 1 + random.below(250));
    });
  }
}

TEST_CASE("incremental encoder: long words by merges that no one trained", "[tokenizer]") {
  static constexpr std::string_view kUnits[] = {"a", "b", "c", " ", "-", "\n", "ab", "ca", "aa", "a-a-a"};
  for (std::uint64_t seed = 1; seed <= 24; ++seed) {
    const Tokenizer tokenizer = random_tokenizer(seed, seed % 4 == 0);
    check_runs(tokenizer, seed, q3g_test::iterations(6), [](test::RandomText& random) {
      // A few units, so that the word is long; often a period.
      std::vector<std::string_view> units;
      for (std::uint64_t n = 1 + random.below(3); n > 0; --n)
        units.push_back(kUnits[random.below(std::size(kUnits))]);
      return any_of(random, units, 1 + random.below(150));
    });
  }
}

TEST_CASE("incremental encoder: white space that is several words and becomes one", "[tokenizer]") {
  // " \n", "  " and " \n  ", whose halves are two words as long as no line end follows.
  test::JsonParts parts;
  parts.vocabulary =
      test::byte_vocabulary() + R"(,"\u0120\u010a":256,"\u0120\u0120":257,"\u0120\u010a\u0120\u0120":258)";
  parts.merges = R"(["\u0120 \u010a","\u0120 \u0120",["\u0120\u010a","\u0120\u0120"]])";
  parts.pre_tokenizer = test::split_by(qwen_pattern_json());
  const Tokenizer tokenizer = parts.load().value();
  std::string white;
  for (int i = 0; i < 40; ++i) white += " \n";
  for (std::size_t n = 40; n <= white.size(); ++n) {
    for (const std::string_view more : {" \n", "  \n", "  x", "x", "\n  \n", "   \t\n!"}) {
      IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
      REQUIRE(encoder.append(white).ok());
      REQUIRE(encoder.truncate(n).ok());
      std::string text = white.substr(0, n);
      for (const char c : more) {
        CAPTURE(n, more);
        REQUIRE(encoder.append({&c, 1}).ok());
        text += c;
        check_equal(encoder, tokenizer, text);
      }
    }
  }
}

TEST_CASE("incremental encoder: a push into a long word changes its last tokens only", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 9105;
  const std::string path = test::qwen3_path();
  const Tokenizer tokenizer = path.empty() ? tiny_tokenizer() : Tokenizer::load(path).value();
  for (const std::string_view unit : {" ", "\n", "ab", "-", "\xE4\xBD\xA0", "\xF0\x9F\x98\x80"}) {
    INFO("seed " << kSeed);
    test::RandomText random(kSeed);
    IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
    for (int i = 0; i < 2000; ++i) {
      const std::size_t before = encoder.n_tokens();
      REQUIRE(encoder.append(unit).ok());
      CAPTURE(unit, i);
      REQUIRE(encoder.n_unchanged() + 80 >= before);
      REQUIRE(encoder.n_tokens() <= before + 80);
    }
    // What it keeps for cuts is little beside the text.
    REQUIRE(encoder.memory_bytes() < 2 * (encoder.n_bytes() * 2 + encoder.n_tokens() * 20) + 4096);
  }
}

TEST_CASE("incremental encoder: marks beyond what any language has wait for what follows", "[tokenizer]") {
  const Tokenizer tokenizer = tiny_tokenizer();
  IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
  std::string text = "caf";
  REQUIRE(encoder.append(text).ok());
  // Marks of two classes by turns, which NFC sorts.
  int n_waiting = 0;
  for (int i = 0; i < 100; ++i) {
    const std::string_view mark = i % 2 == 0 ? "\xCC\x81" : "\xCC\x96";
    REQUIRE(encoder.append(mark).ok());
    text += mark;
    const auto n_marks = static_cast<std::size_t>(i) + 1;
    CHECK(2 * encoder.n_incomplete_bytes() <= encoder.n_bytes());
    if (n_marks < IncrementalEncoder::kMinOpenCharacters) CHECK(encoder.n_incomplete_bytes() == 0);
    n_waiting += encoder.n_incomplete_bytes() > 0 ? 1 : 0;
    check_equal(encoder, tokenizer, text);
  }
  CHECK(n_waiting > 50);
  REQUIRE(encoder.n_unchanged() == encoder.n_tokens());
  // Taken back, undone, ended, gone on.
  REQUIRE(encoder.truncate(text.size() - 10).ok());
  check_equal(encoder, tokenizer, std::string_view(text).substr(0, text.size() - 10));
  encoder.undo();
  check_equal(encoder, tokenizer, text);
  CHECK(encoder.append("\xFF").error().code == ErrorCode::invalid_utf8);
  check_equal(encoder, tokenizer, text);
  REQUIRE(encoder.finish().ok());
  CHECK(encoder.n_incomplete_bytes() == 0);
  check_equal(encoder, tokenizer, text);
  encoder.undo();
  check_equal(encoder, tokenizer, text);
  REQUIRE(encoder.append("x").ok());
  CHECK(encoder.n_incomplete_bytes() == 0);
  check_equal(encoder, tokenizer, text + "x");
}

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
  IncrementalEncoder encoder(tiny_tokenizer(), InvalidUtf8::reject);
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
  // Replaced by what follows, it is the beginning of a character again when that is taken back.
  REQUIRE(encoder.append("\xE2").ok());
  REQUIRE(encoder.append("\x82").ok());
  check_equal(encoder, tokenizer, "ab\xE2\x82\xE2\x82");
  REQUIRE(encoder.truncate(4).ok());
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
