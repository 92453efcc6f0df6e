// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/bpe.hpp"

#include <map>

#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

/// Byte tokens 0..255 and random merges over the bytes "abcd", with a plain implementation to compare with.
struct RandomBpe {
  explicit RandomBpe(std::uint64_t seed) : random(seed) {
    for (TokenId byte = 0; byte < 256; ++byte)
      tokens.push_back(std::string(1, static_cast<char>(static_cast<unsigned char>(byte))));
    const auto pick = [&] {
      const std::uint64_t n = tokens.size() - 256 + 4, i = random.below(n);
      return i < 4 ? static_cast<TokenId>('a' + i) : static_cast<TokenId>(256 + i - 4);
    };
    while (ranks.size() < 60) {
      const TokenId left = pick(), right = pick();
      const std::string joined =
          tokens[static_cast<std::size_t>(left)] + tokens[static_cast<std::size_t>(right)];
      if (joined.size() > 12 || ranks.count({left, right}) != 0) continue;
      const auto known = std::find(tokens.begin(), tokens.end(), joined);
      const auto id = static_cast<TokenId>(known - tokens.begin());
      if (known == tokens.end()) tokens.push_back(joined);
      ranks[{left, right}] = {static_cast<std::uint32_t>(ranks.size()), id};
    }
  }

  [[nodiscard]] Bpe make(bool ignore_merges) const {
    Vocabulary vocabulary;
    MergeTable table;
    std::vector<TokenId> ids;
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      ids.push_back(static_cast<TokenId>(i));
      REQUIRE(vocabulary.set_bytes(ids.back(), tokens[i]));
    }
    REQUIRE_FALSE(vocabulary.index(ids).has_value());
    table.reset(ranks.size());
    for (const auto& [pair, merge] : ranks) table.add(pair.first, pair.second, merge);
    return Bpe(std::move(vocabulary), std::move(table), ignore_merges);
  }

  [[nodiscard]] std::vector<TokenId> plain(std::string_view word) const {
    std::vector<TokenId> ids;
    for (const char c : word) ids.push_back(static_cast<unsigned char>(c));
    for (;;) {
      Merge best;
      std::size_t where = 0;
      for (std::size_t i = 0; i + 1 < ids.size(); ++i) {
        const auto found = ranks.find({ids[i], ids[i + 1]});
        if (found == ranks.end() || found->second.rank >= best.rank) continue;
        best = found->second;
        where = i;
      }
      if (best.rank == Merge::kNone) return ids;
      ids[where] = best.id;
      ids.erase(ids.begin() + static_cast<std::ptrdiff_t>(where) + 1);
    }
  }

  test::RandomText random;
  std::vector<std::string> tokens;
  std::map<std::pair<TokenId, TokenId>, Merge> ranks;
};

}  // namespace

TEST_CASE("bpe: short and long words equal the plain algorithm", "[tokenizer]") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    RandomBpe random(seed);
    const Bpe bpe = random.make(false);
    BpeScratch scratch;
    for (int i = 0; i < 300; ++i) {
      std::string word;
      for (std::uint64_t n = random.random.below(i % 10 == 0 ? 300 : 70) + 1; n > 0; --n)
        word.push_back(static_cast<char>('a' + random.random.below(5)));
      std::vector<TokenId> ids = {7};
      bpe.encode_word(word, scratch, ids);
      auto expected = random.plain(word);
      expected.insert(expected.begin(), 7);
      CAPTURE(seed, i, word);
      REQUIRE(ids == expected);
    }
  }
}

TEST_CASE("bpe: a word encoded in windows is the same word", "[tokenizer]") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    RandomBpe random(seed);
    const Bpe bpe = random.make(false);
    BpeScratch scratch;
    for (int i = 0; i < 60; ++i) {
      // Runs and periods, in which a merge on the left decides about all to its right, and random bytes.
      std::string word, period;
      for (std::uint64_t n = random.random.below(6) + 1; n > 0; --n)
        period.push_back(static_cast<char>('a' + random.random.below(4)));
      for (const std::size_t n = 65 + random.random.below(1000); word.size() < n;) {
        if (i % 3 == 0 || random.random.below(20) == 0) {
          word.push_back(static_cast<char>('a' + random.random.below(5)));
        } else {
          word += period;
        }
      }
      std::vector<TokenId> whole;
      bpe.encode_word(word, scratch, whole);
      for (const std::size_t window : {2u, 16u, 40u, 64u, 200u}) {
        BpeScratch windows;
        windows.window_bytes = window;
        std::vector<TokenId> ids = {7};
        bpe.encode_word(word, windows, ids);
        CAPTURE(seed, i, window, word);
        REQUIRE(std::equal(ids.begin() + 1, ids.end(), whole.begin(), whole.end()));
        // It stops when it is told to, a window later at most.
        ids.resize(1);
        bpe.encode_word(word, windows, ids, 10);
        REQUIRE(ids.size() <= std::max<std::size_t>(1 + whole.size(), 10));
        REQUIRE(ids.size() > std::min<std::size_t>(whole.size(), 10));
      }
    }
  }
}

TEST_CASE("bpe: a word that is a token encodes by the merges, or whole with ignore_merges", "[tokenizer]") {
  RandomBpe random(77);
  random.tokens.emplace_back("zz");  // no merge makes it
  const auto id = static_cast<TokenId>(random.tokens.size() - 1);
  BpeScratch scratch;
  for (int repeat = 0; repeat < 3; ++repeat) {  // the second time the note is there
    std::vector<TokenId> by_merges, whole;
    const Bpe merging = random.make(false), ignoring = random.make(true);
    merging.encode_word("zz", scratch, by_merges);
    merging.encode_word("zz", scratch, by_merges);
    ignoring.encode_word("zz", scratch, whole);
    CHECK(by_merges == std::vector<TokenId>{'z', 'z', 'z', 'z'});
    CHECK(whole == std::vector<TokenId>{id});
  }
}

TEST_CASE("bpe: the empty word has no ids", "[tokenizer]") {
  const Bpe bpe = RandomBpe(3).make(false);
  BpeScratch scratch;
  std::vector<TokenId> ids;
  bpe.encode_word("", scratch, ids);
  CHECK(ids.empty());
}

TEST_CASE("vocabulary: finds bytes of every length and nothing else", "[tokenizer]") {
  Vocabulary vocabulary;
  CHECK(vocabulary.find("a") == -1);
  CHECK(vocabulary.size() == 0);
  std::vector<TokenId> ids;
  std::string bytes;
  for (TokenId id = 0; id < 40; ++id) {
    bytes.push_back(static_cast<char>(id % 3));  // zero bytes, too
    REQUIRE(vocabulary.set_bytes(2 * id, bytes));
    ids.push_back(2 * id);
  }
  CHECK_FALSE(vocabulary.set_bytes(2, "other"));
  REQUIRE_FALSE(vocabulary.index(ids).has_value());
  for (TokenId id = 0; id < 40; ++id) {
    CHECK(vocabulary.find(vocabulary.bytes(2 * id)) == 2 * id);
    CHECK(vocabulary.find(std::string(vocabulary.bytes(2 * id)) + "x") == -1);
    CHECK(vocabulary.bytes(2 * id + 1).empty());
  }
  CHECK(vocabulary.bytes(-1).empty());
  CHECK(vocabulary.bytes(79).empty());
  REQUIRE(vocabulary.set_bytes(79, std::string(vocabulary.bytes(4))));
  ids.push_back(79);
  CHECK(vocabulary.index(ids) == 79);
}
