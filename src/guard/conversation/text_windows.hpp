// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_TEXT_WINDOWS_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_TEXT_WINDOWS_HPP

#include <cstddef>
#include <string_view>
#include <vector>

#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/aligned_tokens.hpp"

namespace qwen3guard::detail {

class TokenizerImpl;

/// How a long text is cut.
struct WindowSizes {
  /// A window reads at least so many tokens that the one before it did not have, where it can: fewer cost
  /// much and say little.
  static constexpr std::size_t kMinNewTokens = 64;

  std::size_t max_tokens = 0;      ///< of a window
  std::size_t overlap_tokens = 0;  ///< that a window has of the one before it, at least

  /// The smallest max_tokens that make sense: at most half of a window is what the one before it had, so that
  /// windows cost at most twice what their text does.
  [[nodiscard]] std::size_t least() const noexcept {
    return overlap_tokens + (overlap_tokens > kMinNewTokens ? overlap_tokens : kMinNewTokens);
  }
};

/// A text in overlapping windows, which are found one after the other, each from its beginning alone: what is
/// kept does not grow with the text. Every byte of the text is in a window. A window begins and ends where a
/// character does and, wherever the text has such a place within some tokens, where a token does; best behind
/// a sentence or between two words. Borrows the tokenizer and the text. Not thread-safe.
class TextWindows {
 public:
  /// text: UTF-8, not empty. Precondition: sizes.max_tokens >= sizes.least().
  TextWindows(const TokenizerImpl& tokenizer, std::string_view text, const WindowSizes& sizes) noexcept
      : tokenizer_(tokenizer), text_(text), sizes_(sizes) {}

  /// The template leaves out line breaks in front of a window: they are in it, and take no room.
  void skip_line_breaks() noexcept { skips_line_breaks_ = true; }

  /// True when the last window that was given ends where the text does.
  [[nodiscard]] bool is_done() const noexcept { return window_.end == text_.size(); }
  /// Where the text of the last window begins, the line breaks in front that are left out; its end when it
  /// has nothing else.
  [[nodiscard]] std::size_t content_begin() const noexcept { return content_; }
  /// The next window. Its tokens, encoded alone, are at most max_tokens. Precondition: !is_done(). Throws
  /// std::bad_alloc. Errors: as encode_aligned().
  [[nodiscard]] Result<ByteRange> next();
  /// The window that next() has just given, but shorter: with its neighbours it did not fit. All that follow
  /// are, too. Errors: context_full, when a shorter one makes no sense.
  [[nodiscard]] Result<ByteRange> shrink();

 private:
  [[nodiscard]] Status cut();
  /// Encodes the text from begin_ on as far as a window can reach.
  [[nodiscard]] Status encode();
  [[nodiscard]] std::size_t next_begin() const;
  /// True when token i, which is not the first, begins where a character does and the one before it ends.
  [[nodiscard]] bool is_border(std::size_t i) const noexcept;
  /// The best of the borders in front of tokens [first, last], the last one of equally good ones; `none` when
  /// there is none.
  [[nodiscard]] std::size_t best_border(std::size_t first, std::size_t last, std::size_t none) const noexcept;
  [[nodiscard]] std::size_t count(std::size_t begin, std::size_t end, std::size_t max_tokens) const;
  /// For text that has no borders of tokens: the most characters from begin on that have max_tokens tokens.
  [[nodiscard]] std::size_t fitting_end(std::size_t begin, std::size_t end, std::size_t max_tokens) const;
  /// The fewest characters at the end of [begin, end) that have n_tokens.
  [[nodiscard]] std::size_t covering_begin(std::size_t begin, std::size_t end, std::size_t n_tokens) const;

  const TokenizerImpl& tokenizer_;
  std::string_view text_;
  WindowSizes sizes_;
  bool skips_line_breaks_ = false;
  ByteRange window_;
  std::size_t content_ = 0;  // where its text begins, line breaks that are skipped left out
  double bytes_per_token_ = 4;
  // Of the text from content_ on, and past the window's end.
  std::vector<TokenId> ids_;
  std::vector<ByteRange> ranges_;
  std::size_t n_tokens_ = 0;  // of these, the window's; 0 where its end is no border
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_TEXT_WINDOWS_HPP
