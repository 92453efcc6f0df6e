// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_TOKEN_CUTS_HPP
#define QWEN3GUARD_SRC_TOKENIZER_TOKEN_CUTS_HPP

#include <cstddef>
#include <string_view>
#include <vector>

#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/aligned_tokens.hpp"

namespace qwen3guard::detail {

/// A place in a text where it can be cut: the tokens of the part before and of the part behind it, encoded on
/// their own, are those of the whole, whatever the text goes on with.
struct TokenCut {
  std::size_t byte = 0;      ///< where
  std::size_t n_tokens = 0;  ///< before it
  std::size_t needs = 0;     ///< holds for every text whose decided_bytes() is at least this
};

/// A text's tokens, where each comes from, and cuts.
struct CutTokens {
  std::vector<TokenId> ids;
  std::vector<ByteRange> ranges;  ///< of the text, [ids.size()]
  std::vector<TokenCut> cuts;     ///< in order; some of the possible ones, the last one among them
};

/// Encodes `text` (UTF-8; control tokens as text). No cuts are found for pre-tokenisers other than Qwen's and
/// for added tokens that take white space along or are normalised. Throws std::bad_alloc.
void encode_with_cuts(const TokenizerImpl& tokenizer, std::string_view text, CutTokens& out);

/// How much of `text` (UTF-8) is what it is: behind that, NFC or an added token that is not complete could
/// still change it.
[[nodiscard]] std::size_t decided_bytes(const TokenizerImpl& tokenizer, std::string_view text) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_TOKEN_CUTS_HPP
