// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_ALIGNED_TOKENS_HPP
#define QWEN3GUARD_SRC_TOKENIZER_ALIGNED_TOKENS_HPP

#include <cstddef>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/offset_map.hpp"

namespace qwen3guard::detail {

class TokenizerImpl;

/// Bytes [begin, end) of a text.
struct ByteRange {
  std::size_t begin = 0, end = 0;
  bool operator==(const ByteRange&) const = default;
};

/// Tokenizer::encode_to with the range of `text` that each id comes from, in order and without gaps. Tokens
/// that share a character, or a sequence that NFC rewrote, have that character's or sequence's whole range
/// when they begin or end inside it; a sequence of bytes that is ill-formed and replaced counts as one
/// character. Both are appended. Errors: invalid_utf8 (byte offset) unless ill-formed sequences are replaced;
/// invalid_argument (4 GiB or more); context_full (`ids` would have more than max_ids). Then, and when
/// std::bad_alloc is thrown, nothing has changed.
[[nodiscard]] Status encode_aligned(const TokenizerImpl& tokenizer, std::string_view text, SpecialTokens mode,
                                    InvalidUtf8 invalid_utf8, std::vector<TokenId>& ids,
                                    std::vector<ByteRange>& ranges,
                                    std::size_t max_ids = std::numeric_limits<std::size_t>::max());

/// A text with U+FFFD for what is ill-formed, and the way back.
struct ReplacedText {
  std::string utf8;
  OffsetMap map;

  /// Where in the text these bytes of `utf8` come from.
  [[nodiscard]] ByteRange range(ByteRange r) const noexcept {
    return {map.begin_of(r.begin), map.end_of(r.end)};
  }
};

/// `is_complete`: a beginning of a character at the text's end is replaced, too; otherwise it is left out.
/// Throws std::bad_alloc.
[[nodiscard]] ReplacedText replaced_text(std::string_view text, bool is_complete);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_ALIGNED_TOKENS_HPP
