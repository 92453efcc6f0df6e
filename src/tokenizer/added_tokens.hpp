// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_ADDED_TOKENS_HPP
#define QWEN3GUARD_SRC_TOKENIZER_ADDED_TOKENS_HPP

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// A token that is found in the text before the pre-tokeniser runs.
struct AddedToken {
  /// Of its content: so far back one can begin that a text ends in. Published ones have some 20 bytes.
  static constexpr std::size_t kMaxBytes = 512;

  TokenId id = -1;
  std::string content;
  bool special = false;     ///< a control token: text in SpecialTokens::as_text
  bool lstrip = false;      ///< takes the white space before it along
  bool rstrip = false;      ///< takes the white space behind it along
  bool normalized = false;  ///< looked for after NFC, not before
};

/// True for the text of a token that the chat markup is made of, or could be: `<|name|>`, white space at its
/// ends aside. Such a token is a control token whatever the files say of it; if it were not, users could
/// write the end of a turn. The six that the published files list as plain ones, for source code
/// (`<|fim_prefix|>`,
/// `<|file_sep|>` ...), are what the file says.
[[nodiscard]] bool is_control_text(std::string_view text) noexcept;

/// Finds added tokens: leftmost, then longest, not overlapping. Immutable; safe to share between threads.
class AddedTokenMatcher {
 public:
  /// A stretch of text: a token, or (id -1) the text between tokens.
  struct Piece {
    std::size_t begin, end;
    TokenId id;
  };

  AddedTokenMatcher() = default;
  /// Contents are distinct and not empty.
  explicit AddedTokenMatcher(std::vector<AddedToken> tokens);

  [[nodiscard]] bool empty() const noexcept { return tokens_.empty(); }
  /// Of a token's content.
  [[nodiscard]] std::size_t longest_bytes() const noexcept { return longest_bytes_; }
  /// True when a token takes white space beside it along.
  [[nodiscard]] bool any_strips() const noexcept { return any_strips_; }

  /// Where the first token begins that `text` holds the beginning of and ends in; text.size() when there is
  /// none. Time: the longest token.
  [[nodiscard]] std::size_t unfinished(std::string_view text) const noexcept;
  /// True when some token's text begins before `pos` and ends behind it. Time: the longest token.
  [[nodiscard]] bool spans(std::string_view text, std::size_t pos) const noexcept;

  /// The first piece of text[pos, size). As in the reference, a control token's text that is not recognised
  /// (as_text) still hides any token inside it. Precondition: pos < text.size().
  [[nodiscard]] Piece next(std::string_view text, std::size_t pos, SpecialTokens mode) const noexcept;

 private:
  [[nodiscard]] const AddedToken* match(std::string_view text) const noexcept;

  std::vector<AddedToken> tokens_;  // sorted by content
  std::array<bool, 256> starts_{};  // by first byte
  std::size_t longest_bytes_ = 0;
  bool any_strips_ = false;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_ADDED_TOKENS_HPP
