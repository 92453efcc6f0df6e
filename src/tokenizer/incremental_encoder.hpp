// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_INCREMENTAL_ENCODER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_INCREMENTAL_ENCODER_HPP

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/aligned_tokens.hpp"
#include "tokenizer/token_cuts.hpp"

namespace qwen3guard::detail {

/// Encodes a text that grows by pieces, split anywhere: after every call its tokens are those of the whole
/// text so far (but for the bytes of a last character that is not complete yet). Only what can still change
/// is encoded again: usually the last word or two. Offsets are bytes of the text as it was given. All sizes
/// count from the text's beginning, what was dropped included. A plain value. Not thread-safe.
class IncrementalEncoder {
 public:
  /// n_prefix_bytes: of the text's beginning, which errors do not count.
  IncrementalEncoder(Tokenizer tokenizer, InvalidUtf8 invalid_utf8, std::size_t n_prefix_bytes = 0)
      : tokenizer_(std::move(tokenizer)), invalid_utf8_(invalid_utf8), n_prefix_bytes_(n_prefix_bytes) {}

  /// Adds to the text. Errors: invalid_utf8 (byte offset) unless ill-formed sequences are replaced;
  /// invalid_argument (finished). Throws std::bad_alloc. Either way nothing has changed then.
  [[nodiscard]] Status append(std::string_view bytes);

  /// True when the text with `bytes` behind it has more than max_tokens tokens, of those that append() would
  /// take. Takes the memory of a copy of `bytes` at most, and none when they are far too many. False does not
  /// say that there is room when `bytes` are few (some KiB) or ill-formed: append() takes little then, and
  /// n_tokens() tells. Throws std::bad_alloc.
  [[nodiscard]] bool exceeds(std::string_view bytes, std::size_t max_tokens) const;

  /// The text is complete: all tokens are final. A last character that is not complete is replaced or
  /// (reject) left out: no token covers it. Throws std::bad_alloc; nothing has changed then.
  [[nodiscard]] Status finish();

  /// Takes back everything from byte n on, also after finish(). Precondition: dropped_bytes() <= n <=
  /// n_bytes(). Throws std::bad_alloc; nothing has changed then. Time: what lies between n and the cut before
  /// it.
  [[nodiscard]] Status truncate(std::size_t n);

  /// Takes the last append(), finish() or truncate() back, when nothing was called since.
  void undo() noexcept;

  /// Frees what is kept for the tokens before `n_tokens`, as far as the text can be cut there.
  void drop_before(std::size_t n_tokens);

  [[nodiscard]] std::size_t n_bytes() const noexcept { return dropped_bytes_ + text_.size(); }
  [[nodiscard]] std::size_t n_tokens() const noexcept { return dropped_tokens_ + ids_.size(); }
  /// Tokens that nothing that follows can change.
  [[nodiscard]] std::size_t n_settled() const noexcept {
    return is_finished_ ? n_tokens() : cuts_.empty() ? dropped_tokens_ : cuts_.back().n_tokens;
  }
  /// Tokens at the beginning that the last append(), finish() or truncate() left as they were, their ranges
  /// too.
  [[nodiscard]] std::size_t n_unchanged() const noexcept { return n_unchanged_; }
  [[nodiscard]] bool is_finished() const noexcept { return is_finished_; }
  /// Bytes at the end that no token covers: of a character that is not complete.
  [[nodiscard]] std::size_t n_incomplete_bytes() const noexcept;

  [[nodiscard]] std::size_t dropped_bytes() const noexcept { return dropped_bytes_; }
  [[nodiscard]] std::size_t dropped_tokens() const noexcept { return dropped_tokens_; }
  /// The tokens from dropped_tokens() on, and where each comes from.
  [[nodiscard]] std::span<const TokenId> ids() const noexcept { return ids_; }
  [[nodiscard]] std::span<const ByteRange> ranges() const noexcept { return ranges_; }
  /// The text from dropped_bytes() on.
  [[nodiscard]] std::string_view text() const noexcept { return text_; }
  /// Bytes of memory.
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return text_.capacity() + ids_.capacity() * sizeof(TokenId) + ranges_.capacity() * sizeof(ByteRange) +
           cuts_.capacity() * sizeof(TokenCut);
  }

 private:
  struct Piece;
  /// The text [begin, end) as UTF-8.
  [[nodiscard]] Status read(std::size_t begin, std::size_t end, bool is_complete, Piece& piece) const;
  /// Encodes what is behind the first n_cuts cuts and makes it the text's, whose end is `end`.
  /// n_old_text: size of the text kept before the change.
  [[nodiscard]] Status encode(std::size_t n_cuts, std::size_t end, std::size_t n_old_text, bool is_complete);

  Tokenizer tokenizer_;
  InvalidUtf8 invalid_utf8_;
  std::size_t n_prefix_bytes_;
  std::string text_;
  std::vector<TokenId> ids_;
  std::vector<ByteRange> ranges_;
  std::vector<TokenCut> cuts_;
  std::size_t dropped_bytes_ = 0, dropped_tokens_ = 0;
  std::size_t n_unchanged_ = 0;
  bool is_finished_ = false;

  /// What the last change replaced.
  struct Undo {
    std::size_t n_ids = 0, n_cuts = 0, n_text = 0;  // that stayed
    std::vector<TokenId> ids;
    std::vector<ByteRange> ranges;
    std::vector<TokenCut> cuts;
    std::string text;
    bool is_finished = false;
  };
  Undo undo_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_INCREMENTAL_ENCODER_HPP
