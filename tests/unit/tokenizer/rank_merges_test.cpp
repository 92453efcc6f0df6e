// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/rank_merges.hpp"

#include <algorithm>

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer/base64.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

/// Bytes and random tokens of few letters at random ranks, with the rule as it is written down.
struct RandomRanks {
  explicit RandomRanks(std::uint64_t seed) : random(seed) {
    for (int byte = 0; byte < 256; ++byte)
      tokens.emplace_back(1, static_cast<char>(static_cast<unsigned char>(byte)));
    const std::size_t n_letters = 2 + random.below(3), n_tokens = 256 + 10 + random.below(120);
    while (tokens.size() < n_tokens) {
      std::string token = letters(n_letters, 2 + random.below(7));
      if (std::find(tokens.begin(), tokens.end(), token) == tokens.end()) tokens.push_back(std::move(token));
    }
    for (std::size_t i = tokens.size(); i > 1; --i) std::swap(tokens[i - 1], tokens[random.below(i)]);
    std::vector<TokenId> ids;
    for (const std::string& token : tokens) {
      ids.push_back(static_cast<TokenId>(ids.size()));
      REQUIRE(vocabulary.set_bytes(ids.back(), token));
    }
    REQUIRE_FALSE(vocabulary.index(ids).has_value());
    merges = rank_merges(vocabulary, ids).value();
  }

  std::string letters(std::size_t n_letters, std::size_t n) {
    std::string out;
    for (; n > 0; --n) out += static_cast<char>('a' + random.below(n_letters));
    return out;
  }

  /// Of all neighbours whose bytes are a token, the lowest rank, leftmost first.
  [[nodiscard]] std::vector<TokenId> plain(std::string_view word) const {
    std::vector<std::string> parts;
    for (const char c : word) parts.emplace_back(1, c);
    for (;;) {
      TokenId best = -1;
      std::size_t where = 0;
      for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
        const TokenId id = vocabulary.find(parts[i] + parts[i + 1]);
        if (id < 0 || (best >= 0 && id >= best)) continue;
        best = id;
        where = i;
      }
      if (best < 0) break;
      parts[where] += parts[where + 1];
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(where) + 1);
    }
    std::vector<TokenId> out;
    for (const std::string& part : parts) out.push_back(vocabulary.find(part));
    return out;
  }

  test::RandomText random;
  std::vector<std::string> tokens;
  Vocabulary vocabulary;
  MergeTable merges;
};

}  // namespace

TEST_CASE("rank merges: one merge for each token gives what tiktoken's rule gives", "[tokenizer][tiktoken]") {
  for (int seed = 1; seed <= q3g_test::iterations(200); ++seed) {
    RandomRanks made(static_cast<std::uint64_t>(seed));
    CAPTURE(seed);
    std::vector<std::pair<std::string, std::vector<TokenId>>> words;
    for (int i = 0; i < 60; ++i) {
      std::string word = made.letters(4, made.random.below(i % 10 == 0 ? 200 : 20) + 1);
      if (i % 2 == 0)
        for (int k = 0; k < 4; ++k) word += made.tokens[made.random.below(made.tokens.size())];
      auto expected = made.plain(word);
      words.emplace_back(std::move(word), std::move(expected));
    }
    const Bpe bpe(std::move(made.vocabulary), std::move(made.merges), false);
    BpeScratch scratch;
    for (const std::size_t window_bytes : {std::size_t{1} << 14, std::size_t{70}}) {
      scratch.window_bytes = window_bytes;
      for (const auto& [word, expected] : words) {
        std::vector<TokenId> ids;
        bpe.encode_word(word, scratch, ids);
        CAPTURE(word, window_bytes);
        REQUIRE(ids == expected);
      }
    }
  }
}

TEST_CASE("rank merges: no more of them than tokens", "[tokenizer][tiktoken]") {
  RandomRanks made(7);
  std::size_t n_merges = 0;
  for (const MergeSlot& slot : made.merges.slots()) n_merges += slot.key != MergeSlot::kEmpty ? 1 : 0;
  CHECK(n_merges > 0);
  CHECK(n_merges <= made.tokens.size() - 256);
}

TEST_CASE("base64: bytes and back, in one spelling", "[tokenizer][tiktoken]") {
  for (const auto& [bytes, text] : {std::pair("", ""), std::pair("f", "Zg=="), std::pair("fo", "Zm8="),
                                    std::pair("foo", "Zm9v"), std::pair("foob", "Zm9vYg==")}) {
    std::string out;
    append_base64(bytes, out);
    CHECK(out == text);
    CHECK(base64_to_bytes(text, out));
    CHECK(out == bytes);
  }
  std::string all, text, back;
  for (int i = 0; i < 1000; ++i) all += static_cast<char>(static_cast<unsigned char>(i * 37 + i / 256));
  append_base64(all, text);
  CHECK(base64_to_bytes(text, back));
  CHECK(back == all);
  for (const char* wrong :
       {"Z", "Zg", "Zg=", "Zh==", "Zm9=", "Zg==Zg==", "Z===", "====", "=", "Zm 9", "Zm9v\n", "Zm-_"})
    CHECK_FALSE(base64_to_bytes(wrong, back));
}
