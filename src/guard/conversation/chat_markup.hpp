// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_CHAT_MARKUP_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_CHAT_MARKUP_HPP

#include <array>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "guard/conversation/answer_parts.hpp"
#include "guard/conversation/markup.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/aligned_tokens.hpp"

namespace qwen3guard::detail {

/// What an assistant's turn looks like among the others (a user's and a system turn have one form).
enum class AnswerForm : std::uint8_t {
  plain,    ///< the content alone
  thinking  ///< a think block, perhaps an empty one, and the content
};

/// A finished turn as tokens, its closing <|im_end|> and line break not among them.
struct RenderedTurn {
  std::vector<TokenId> ids;
  /// Where each token comes from in the turn's text as the host gave it; empty for markup.
  std::vector<ByteRange> ranges;
  /// Indices of the first tokens behind <think> and behind </think> that are no line break of the markup's
  /// own; 0 where the form has no block.
  std::size_t reasoning_begin = 0, think_end = 0;
  std::size_t content_begin = 0;  ///< the first token that can be the content's
};

/// The markup that the published Qwen3 checkpoints read a conversation in: the one place that writes it.
/// Control tokens become ids; everything between two of them is one text for the tokenizer, in which control
/// tokens are plain text. Source: chat template of the published Qwen3 checkpoints with thinking off.
/// Immutable; thread-safe.
class ChatMarkup {
 public:
  /// What a turn begins with: control tokens, then the beginning of the text that is encoded with the turn's.
  struct Opening {
    std::vector<TokenId> ids;
    std::string prefix;
    std::vector<TokenId> prefix_ids;  ///< encoded alone
    /// Tokens at the end of `ids` that belong to the answer when thinking is judged: </think>, or none.
    std::size_t n_judged = 0;
  };

  /// tokenizer: kept. Errors: bad_tokenizer (a control token of the markup is missing).
  [[nodiscard]] static Result<std::shared_ptr<const ChatMarkup>> make(const Tokenizer& tokenizer);

  /// has_think_block: of an assistant's turn, an empty one.
  [[nodiscard]] const Opening& opening(Role role, bool has_think_block) const noexcept {
    return openings_[role == Role::assistant && has_think_block ? kBlock : static_cast<std::size_t>(role)];
  }
  /// <|im_end|> and a line break.
  [[nodiscard]] std::span<const TokenId> closing() const noexcept { return closing_; }
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return tokenizer_; }

  /// A finished turn of text. `form` is for an assistant's. invalid_utf8: `text` is UTF-8 unless that is
  /// `replace`. Errors: invalid_utf8. Throws std::bad_alloc.
  [[nodiscard]] Result<RenderedTurn> render(Role role, std::string_view text, AnswerForm form,
                                            InvalidUtf8 invalid_utf8) const;
  /// An answer of tokens without what the plain form leaves out: everything up to the last </think>, and line
  /// breaks behind it.
  [[nodiscard]] std::span<const TokenId> answer(std::span<const TokenId> ids) const;

 private:
  explicit ChatMarkup(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}
  [[nodiscard]] Result<Opening> make_opening(std::string_view header) const;

  static constexpr std::size_t kBlock = 3;  // in the place of a tool's turn, which has none of its own
  Tokenizer tokenizer_;
  std::optional<TokenId> think_begin_, think_end_;
  std::array<Opening, 4> openings_;
  std::vector<TokenId> closing_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_CHAT_MARKUP_HPP
