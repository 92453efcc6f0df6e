// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_ALIGNED_TOKENS_HPP
#define QWEN3GUARD_SRC_TOKENIZER_ALIGNED_TOKENS_HPP

#include <cstddef>
#include <string_view>
#include <vector>

#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

class TokenizerImpl;

/// Bytes [begin, end) of a text.
struct ByteRange {
  std::size_t begin = 0, end = 0;
  bool operator==(const ByteRange&) const = default;
};

/// A place in a text where it can be cut: the tokens of the part before and of the part behind it, encoded on
/// their own, are those of the whole, whatever the text goes on with.
struct TokenCut {
  std::size_t byte = 0;      ///< where
  std::size_t n_tokens = 0;  ///< before it
  std::size_t needs = 0;     ///< holds for every text whose decided_bytes() is at least this
};

/// A text's tokens with where each comes from. Tokens that share a character, or a sequence that NFC
/// rewrote, have that character's or sequence's whole range when they begin or end inside it.
struct AlignedTokens {
  std::vector<TokenId> ids;
  std::vector<ByteRange> ranges;  ///< of the text, [ids.size()]
  std::vector<TokenCut> cuts;     ///< in order; some of the possible ones, the last one among them
};

/// Tokenizer::encode (control tokens as text) with ranges and cuts. `text` is UTF-8. No cuts are found for
/// pre-tokenisers other than Qwen's and for added tokens that take white space along or are normalised.
/// Throws std::bad_alloc.
void encode_aligned(const TokenizerImpl& tokenizer, std::string_view text, AlignedTokens& out);

/// How much of `text` (UTF-8) is what it is: behind that, NFC or an added token that is not complete could
/// still change it.
[[nodiscard]] std::size_t decided_bytes(const TokenizerImpl& tokenizer, std::string_view text) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_ALIGNED_TOKENS_HPP
