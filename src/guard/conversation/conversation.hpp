// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_CONVERSATION_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_CONVERSATION_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "guard/conversation/chat_markup.hpp"
#include "guard/conversation/turn.hpp"
#include "guard/conversation/undo_log.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// A finished turn in its place.
struct PlacedTurn {
  std::shared_ptr<const ClosedTurn> turn;
  std::size_t begin = 0;  ///< index of its <|im_start|> on the tape
  AnswerForm form = AnswerForm::plain;
  bool is_rendered = false;     ///< the tape has it
  bool is_fixed = false;        ///< it stays as it was written, whatever follows
  bool has_reasoning = false;   ///< of an answer, for the template
  bool is_tool_answer = false;  ///< of a user's turn: to the template it asks nothing
};

/// What the end of a turn came to on the tape.
struct ClosedForm {
  std::size_t keep = 0;   ///< the first index that changed
  std::size_t begin = 0;  ///< of the turn's <|im_start|>
  std::size_t end = 0;    ///< of its <|im_end|>
  /// An answer of text in the form that the template gives it; empty when the turn stays as it was written.
  std::optional<RenderedTurn> rendered;
};

/// A conversation: turns, the one that is being written, and (with markup) the tape: the tokens that a Stream
/// checkpoint is to see, always those of the published template for the turns so far. The turn that is being
/// written stands on it as if it were the last one and went on.
///
/// Knows no model and judges nothing. All changes note the way back in the log they are given: on an error or
/// a throw the caller rolls it back. A change that returns an index says which is the first one of the tape
/// that changed. A copy shares finished turns, and the open one until either changes it.
/// Not thread-safe.
class Conversation {
 public:
  struct Options {
    bool has_markup = true;
    InvalidUtf8 invalid_utf8 = InvalidUtf8::reject;
    bool reads_unsettled = true;  ///< tokens that the next piece can change are on the tape
  };
  /// tokenizer: borrowed; null when there is none: then no turn can be begun.
  Conversation(const Tokenizer* tokenizer, const Options& options)
      : tokenizer_(tokenizer), options_(options) {}
  Conversation(const Conversation& other);
  Conversation& operator=(const Conversation&) = delete;

  /// Opens a turn; the answers before it take the form they have now. Errors: invalid_argument (a turn is
  /// open); bad_tokenizer.
  [[nodiscard]] Result<std::size_t> begin(Role role, UndoLog& log);
  /// Appends finished turns. Errors: invalid_argument (a turn is open); bad_tokenizer; invalid_utf8 (with the
  /// message's index, when there are several).
  [[nodiscard]] Result<std::size_t> append(std::span<const Message> messages, UndoLog& log);

  /// The open turn goes on. Errors: invalid_argument (no
  /// turn is open; OpenTurn's); invalid_utf8. @{
  [[nodiscard]] Result<std::size_t> push_text(std::string_view bytes, UndoLog& log);
  [[nodiscard]] Result<std::size_t> push_ids(std::span<const TokenId> ids, std::size_t n_fit, UndoLog& log);
  /// No more text comes.
  [[nodiscard]] Result<std::size_t> finish(UndoLog& log);
  /// Takes the turn back to its first n bytes. Errors: invalid_argument (there are not so many; the context
  /// has slid past that).
  [[nodiscard]] Result<std::size_t> rewind_to_byte(std::int64_t n, UndoLog& log);
  /// Takes a turn of tokens back to its first n, and (keeps_end) the end that the model set.
  [[nodiscard]] Result<std::size_t> rewind_to_id(std::int64_t n, bool keeps_end, UndoLog& log);  /// @}
  /// The model has ended the open turn.
  void set_model_end(TokenId id, UndoLog& log) { writable().set_model_end(id, log); }
  /// Ends the open turn. An answer of text takes the template's form, unless (is_fixed) it is to stay as it
  /// is or that form would end beyond max_tokens.
  [[nodiscard]] Result<ClosedForm> close(bool is_fixed, std::size_t max_tokens, UndoLog& log);
  /// Goes back to a finished turn, which is open again (opens) or the last one now.
  [[nodiscard]] Result<std::size_t> go_back(std::size_t turn, bool opens, UndoLog& log);
  /// Cuts the tape, which only the open turn's last tokens reach beyond n.
  void cut_tape(std::size_t n, UndoLog& log);
  /// Forgets whole turns, the oldest first but for a system turn, until at most n tokens are left. No turn is
  /// open.
  struct Dropped {
    std::size_t keep;            ///< the first index of the tape that changed
    std::size_t first, n_turns;  ///< which turns
  };
  Dropped drop_turns(std::size_t n, UndoLog& log);

  /// Forgets the tokens [begin, end) of the tape (without markup: so many), which are the beginning of the
  /// open turn's own, for good.
  void slide(std::size_t begin, std::size_t end);
  /// Forgets everything, but never gives a serial number twice.
  void clear() noexcept;

  [[nodiscard]] std::span<const PlacedTurn> turns() const noexcept { return turns_; }
  /// The open turn; null when none is.
  [[nodiscard]] const OpenTurn* open() const noexcept { return open_.get(); }
  [[nodiscard]] Result<const OpenTurn*> need_open() const;
  /// True when push_text(bytes) would make the tape (without markup: the turn) longer than n_tokens; false
  /// does not say that it would not (IncrementalEncoder::exceeds).
  [[nodiscard]] bool exceeds(std::string_view bytes, std::size_t n_tokens) const;
  /// As much of `bytes` as makes it n_tokens long, and some more; all when that is not so much.
  [[nodiscard]] std::string_view first_part(std::string_view bytes, std::size_t n_tokens) const;

  [[nodiscard]] std::span<const TokenId> ids() const noexcept { return ids_; }
  /// Of the open turn: where what opens it begins, the text that is encoded as one, and the host's tokens.
  [[nodiscard]] std::size_t open_begin() const noexcept { return open_begin_; }
  [[nodiscard]] std::size_t run_begin() const noexcept { return run_begin_; }
  [[nodiscard]] std::size_t content_begin() const noexcept { return run_begin_ + open_->n_prefix_tokens(); }
  /// Tokens that are no longer on the tape: the difference between an index of the conversation and one of
  /// the tape, for the last turn.
  [[nodiscard]] std::size_t n_gone() const noexcept { return n_gone_; }
  [[nodiscard]] const ChatMarkup* markup() const noexcept { return markup_.get(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  [[nodiscard]] Status prepare();
  /// The open turn, its own for this conversation.
  [[nodiscard]] OpenTurn& writable();
  void set_open(std::shared_ptr<OpenTurn> turn, UndoLog& log);
  /// Gives every finished turn its form, with a turn of role `next` to follow; returns the first index of the
  /// tape that changed.
  [[nodiscard]] Result<std::size_t> reform(std::optional<Role> next, UndoLog& log);
  [[nodiscard]] std::vector<AnswerForm> forms(std::optional<Role> next) const;
  [[nodiscard]] Result<RenderedTurn> render(const ClosedTurn& turn, AnswerForm form) const;
  /// Makes the tape from `keep` on `tail`; returns the first index that is different now.
  std::size_t replace_tail(std::size_t begin, std::span<const TokenId> tail, UndoLog& log);
  /// Tokens of the open turn's text, prefix included, that belong on the tape.
  [[nodiscard]] std::size_t n_used_tokens() const noexcept;
  /// Writes the open turn on the tape again.
  std::size_t reopen(bool is_same_opening, UndoLog& log);
  /// Makes the tape's end that of the open turn, whose opening stood there with (had_block) a think block.
  std::size_t follow_open(bool had_block, std::size_t n_unchanged, UndoLog& log);

  const Tokenizer* tokenizer_;
  Options options_;
  std::shared_ptr<const ChatMarkup> markup_;
  std::vector<TokenId> ids_;
  std::vector<PlacedTurn> turns_;
  std::shared_ptr<OpenTurn> open_;
  mutable bool is_open_shared_ = false;  // a copy has it, too
  std::size_t open_begin_ = 0, run_begin_ = 0;
  std::uint64_t next_serial_ = 1;
  std::size_t n_gone_ = 0;
};

/// A conversation that is whole, as tokens: all messages as finished turns and (adds_generation_prompt) what
/// opens the assistant's. Messages of tools are folded. Errors: bad_tokenizer; invalid_utf8. Throws
/// std::bad_alloc.
[[nodiscard]] Result<std::vector<TokenId>> render_chat(const Tokenizer& tokenizer,
                                                       std::span<const Message> messages,
                                                       bool adds_generation_prompt);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_CONVERSATION_HPP
