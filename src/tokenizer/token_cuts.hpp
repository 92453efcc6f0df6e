// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_TOKEN_CUTS_HPP
#define QWEN3GUARD_SRC_TOKENIZER_TOKEN_CUTS_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/aligned_tokens.hpp"
#include "tokenizer/qwen_scanner.hpp"

namespace qwen3guard::detail {

/// A word of the Qwen pattern that began before the text, where one of its tokens begins.
struct WordRest {
  WordPart part = WordPart::none;  ///< that the text begins in; none: the text begins with a word
  TokenId next_id = -1;            ///< that token, for what was known of the text then
};

enum class Encoded : std::uint8_t {
  whole,
  too_many,      ///< tokens
  other_tokens,  ///< the word's tokens before the text change
  other_word,    ///< the word is one with the one before it
};

/// A place in a text where encoding can be taken up again: the tokens before it stay, whatever the text goes
/// on with. Between words (`part` is none) that is certain. Inside a long word it is so if the word's next
/// token is the same again, and TextEncoder says when it is not.
struct TokenCut {
  std::size_t byte = 0;       ///< where
  std::size_t n_tokens = 0;   ///< before it
  std::size_t needs = 0;      ///< holds for every text whose decided_bytes() is at least this
  std::size_t n_settled = 0;  ///< tokens before the last cut between words, this one included
  WordPart part = WordPart::none;
};

/// A text's tokens, where each comes from, and cuts.
struct CutTokens {
  std::vector<TokenId> ids;
  std::vector<ByteRange> ranges;  ///< of the text, [ids.size()]
  std::vector<TokenCut> cuts;     ///< in order; some of the possible ones, the last one among them
};

/// At most one cut in so many bytes, but for the last one, and the one between words before one inside a
/// word.
inline constexpr std::size_t kCutBytes = 128;

/// Encodes `text` (UTF-8; control tokens as text), which is the rest of another: it begins in the word
/// `rest`, and whether it follows a line end matters, too. No cuts are found for pre-tokenisers other than
/// Qwen's and for added tokens that take white space along or are normalised. Unless it returns `whole`, what
/// is in `out` means nothing. Throws std::bad_alloc.
[[nodiscard]] Encoded encode_with_cuts(const TokenizerImpl& tokenizer, std::string_view text, WordRest rest,
                                       bool follows_newline, CutTokens& out);

/// How much of `text` (UTF-8) is what it is: behind that, NFC or an added token that is not complete could
/// still change it.
[[nodiscard]] std::size_t decided_bytes(const TokenizerImpl& tokenizer, std::string_view text) noexcept;

/// The end of a text that NFC may still change: a character and those behind it that may join it or move past
/// each other.
struct OpenSequence {
  std::size_t begin = 0;  ///< where it begins; the text's size when NFC is not wanted
  std::size_t n_characters = 0;
};
/// Time: its length.
[[nodiscard]] OpenSequence open_sequence(const TokenizerImpl& tokenizer, std::string_view text) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_TOKEN_CUTS_HPP
