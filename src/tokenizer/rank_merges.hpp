// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_RANK_MERGES_HPP
#define QWEN3GUARD_SRC_TOKENIZER_RANK_MERGES_HPP

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "qwen3guard/status.hpp"
#include "tokenizer/merge_table.hpp"
#include "tokenizer/vocabulary.hpp"

/// tiktoken's rule, which has no list of merges: of all neighbours whose bytes together are a token, those of
/// the lowest rank become it, leftmost first; a token's rank is its id.
///
/// A token can be made of several pairs of tokens, but of its bytes the rule makes two tokens, and then it,
/// in one way only. Neighbours that are about to become a token within a longer word went that same way, as
/// what lies beside them had no part in it. So one merge for each token is enough, that last one, and
/// encoding takes the same time and memory as with a list of merges.
namespace qwen3guard::detail {

/// Of a token with a rank: the time for one grows with the square. Published ones have up to 128.
inline constexpr std::size_t kMaxRankedBytes = 512;

/// Two tokens that become one.
struct TokenPair {
  TokenId left = -1, right = -1, merged = -1;
  bool operator==(const TokenPair&) const = default;
};

/// What merges make of tokens' own bytes. Borrows the merges.
class LastMerge {
 public:
  LastMerge(const Vocabulary& vocabulary, const MergeTable& merges)
      : merges_(merges), byte_ids_(vocabulary.byte_ids()) {}

  /// The last of the merges that make one token of all of `bytes`; nothing when they end with several, and
  /// for a single byte. bytes.size() <= kMaxRankedBytes.
  [[nodiscard]] std::optional<TokenPair> operator()(std::string_view bytes);

 private:
  const MergeTable& merges_;
  std::array<TokenId, 256> byte_ids_;
  std::array<TokenId, kMaxRankedBytes> ids_{};  // scratch
  std::array<Merge, kMaxRankedBytes> found_{};
};

/// The merges of tiktoken's rule for the tokens `ids`, which are indexed and have at most kMaxRankedBytes.
/// Errors: bad_tokenizer (more than Vocabulary::kMaxIds pairs make tokens, or too many long tokens). Throws
/// std::bad_alloc.
[[nodiscard]] Result<MergeTable> rank_merges(const Vocabulary& vocabulary, std::span<const TokenId> ids);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_RANK_MERGES_HPP
