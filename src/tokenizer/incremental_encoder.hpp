// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_INCREMENTAL_ENCODER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_INCREMENTAL_ENCODER_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
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
/// text so far, but for the n_incomplete_bytes() at its end. Only what can still change is encoded again:
/// usually the last word or two, and of a long word (a run of letters, of spaces ...) its last tokens, so
/// that the time for all pieces is linear in the text. (Not so for the tokenizers that encode_with_cuts()
/// finds no cuts for: each piece costs the whole text.) Offsets are bytes of the text as it was given. All
/// sizes count from the text's beginning, what was dropped included. A plain value. Not thread-safe.
class IncrementalEncoder {
 public:
  /// NFC sorts the marks behind a character, so that one more can change all of them. Of so many characters
  /// or more, those that are added have no tokens until there are twice as many, or something else follows,
  /// or the text ends. No language has more than 30 marks in a row (Unicode annex 15, section 13).
  static constexpr std::size_t kMinOpenCharacters = 32;

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

  /// Frees what is kept for the tokens before `n_tokens`, as far as the text can be cut there, once that is
  /// half of what is kept.
  void drop_before(std::size_t n_tokens);

  [[nodiscard]] std::size_t n_bytes() const noexcept { return dropped_bytes_ + text_.size(); }
  [[nodiscard]] std::size_t n_tokens() const noexcept { return dropped_tokens_ + ids_.size(); }
  /// Tokens that nothing that follows can change.
  [[nodiscard]] std::size_t n_settled() const noexcept {
    return is_finished_ ? n_tokens() : cuts_.empty() ? dropped_tokens_ : cuts_.back().n_settled;
  }
  /// Tokens at the beginning that the last append(), finish() or truncate() left as they were, their ranges
  /// too.
  [[nodiscard]] std::size_t n_unchanged() const noexcept { return n_unchanged_; }
  [[nodiscard]] bool is_finished() const noexcept { return is_finished_; }
  /// Bytes at the end that no token covers: of a character that is not complete, or of marks that wait
  /// (kMinOpenCharacters). finish() leaves at most three, of a character that may not be replaced.
  [[nodiscard]] std::size_t n_incomplete_bytes() const noexcept { return n_incomplete_bytes_; }

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
  /// The text's end, encoded from a cut on.
  struct Tail {
    CutTokens tokens;
    ReplacedText text;  // what of it has tokens
    std::size_t n_incomplete_bytes = 0;
    bool is_open_long = false;  // ends in kMinOpenCharacters that NFC may still change
    std::size_t hold_until = 0;
  };
  enum class Encode : std::uint8_t {
    all,
    half_of_marks,  // of kMinOpenCharacters twice or more: those taken back next cost nothing
    complete,       // the text ends
  };
  [[nodiscard]] TokenCut cut_at(std::size_t n_cuts) const noexcept;
  /// What an encoding from `cut` on takes up. Nothing when there is no token to compare.
  [[nodiscard]] std::optional<WordRest> rest_at(const TokenCut& cut) const noexcept;
  /// The number of cuts to go back to when it cannot be taken up at the last of n_cuts.
  [[nodiscard]] std::size_t cuts_before(std::size_t n_cuts, Encoded why) const noexcept;
  /// Number of cuts up to the last one between words that no more than n_tokens precede.
  [[nodiscard]] std::size_t settled_cuts(std::size_t n_tokens) const noexcept;
  /// Encodes the text [cut, end). n_cuts: to start with; then, that were used.
  [[nodiscard]] Tail encode_tail(std::size_t& n_cuts, std::size_t end, Encode what) const;
  /// Makes that the text's, whose end is `end`. n_old_text: size of the text kept before the change.
  void encode(std::size_t n_cuts, std::size_t end, std::size_t n_old_text, Encode what);
  /// The text's new end has no tokens: none changes. n_old_text, n_incomplete_bytes: before the change and
  /// behind it.
  void change_without_tokens(std::size_t end, std::size_t n_old_text, std::size_t n_incomplete_bytes);

  Tokenizer tokenizer_;
  InvalidUtf8 invalid_utf8_;
  std::size_t n_prefix_bytes_;
  std::string text_;
  std::vector<TokenId> ids_;
  std::vector<ByteRange> ranges_;
  std::vector<TokenCut> cuts_;
  std::size_t dropped_bytes_ = 0, dropped_tokens_ = 0;
  std::size_t n_unchanged_ = 0, n_incomplete_bytes_ = 0;
  std::size_t hold_until_ = 0;  // n_bytes() up to which marks that are added get no tokens
  bool is_finished_ = false;

  /// What the last change replaced.
  struct Undo {
    std::size_t n_ids = 0, n_cuts = 0, n_text = 0;  // that stayed
    std::vector<TokenId> ids;
    std::vector<ByteRange> ranges;
    std::vector<TokenCut> cuts;
    std::string text;
    std::size_t n_incomplete_bytes = 0;
    std::size_t hold_until = 0;
    bool is_finished = false;
  };
  Undo undo_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_INCREMENTAL_ENCODER_HPP
