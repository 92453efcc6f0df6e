// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_TRANSCRIPT_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_TRANSCRIPT_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/conversation/thinking.hpp"
#include "guard/policy/stream_policy.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"
#include "tokenizer/incremental_encoder.hpp"

namespace qwen3guard::detail {

/// A token of a turn and what was made of it.
struct TurnToken {
  TokenVerdict verdict;
  PolicyState state;                            // behind it
  ThinkState thinking = ThinkState::may_begin;  // behind it
};

/// One turn of a live conversation.
struct Turn {
  enum class Input : std::uint8_t { none, text, tokens };

  Role role = Role::user;
  Input input = Input::none;
  bool is_open = true;
  bool has_think_block = false;  // the tape has the empty think block before the text
  std::uint64_t serial = 0;      // no other turn of the conversation has it
  std::size_t begin = 0;         // index of its <|im_start|> on the tape
  std::size_t text_begin = 0;    // index of what belongs to tokens[0]
  std::size_t prefix_bytes = 0;  // of `text`, in front of the host's: the role, when both are one text
  std::optional<IncrementalEncoder> text;
  std::vector<TokenId> given;  // Input::tokens: the host's ids that are on the tape
  /// Input::tokens: where each of the host's ids ends in the text that they spell, but for those slid past;
  /// is_stopped: of those that are not on the tape, too.
  std::vector<std::int64_t> given_ends;
  TokenId model_end = -1;                // Input::tokens: the host's model has ended the turn with this token
  std::size_t n_settled = 0;             // of the text's tokens, as far as `tokens` was told
  std::size_t n_slid = 0;                // tokens at the turn's beginning that the context slid past
  TurnToken before;                      // the last of these
  std::vector<TurnToken> tokens;         // [text_begin, ...) of the tape
  PolicyState end_state;                 // when it is over
  std::int64_t thinking_begin_byte = 0;  // of a <think> that was judged
  /// Tokens that the decision needs and the context has slid past, by their index in the turn.
  std::vector<std::pair<std::int32_t, TokenVerdict>> landmarks;
  bool is_stopped = false;           // judging has stopped: the context is full
  std::int64_t judged_end_byte = 0;  // is_stopped: the first byte that was not judged
  std::int64_t unread_bytes = 0;     // is_stopped: of text, pushed since, and not looked at

  /// Bytes of the host's text, read or not.
  [[nodiscard]] std::int64_t n_bytes() const noexcept;
  /// Tokens of the tape, from text_begin on, that belong to the role rather than to the host's text.
  [[nodiscard]] std::size_t n_header_tokens() const noexcept;
  /// Verdicts that the turn has had, those slid past among them.
  [[nodiscard]] std::size_t n_verdicts() const noexcept;
  /// Bytes at the end of the text that no token covers: a character that is not complete.
  [[nodiscard]] std::int64_t n_incomplete_bytes() const noexcept;
  /// The token that the next one follows.
  [[nodiscard]] const TurnToken& last() const noexcept { return tokens.empty() ? before : tokens.back(); }
  [[nodiscard]] PolicyState state() const noexcept { return is_open ? last().state : end_state; }
  /// The turn's token `index`; null when it is gone.
  [[nodiscard]] const TokenVerdict* verdict(std::int32_t index) const noexcept;
};

/// A conversation as the tokens that a Stream checkpoint is to see: the tape. Turns are opened, written and
/// closed; the tape follows the published markup. Knows no model and judges nothing. Copyable: a copy is a
/// checkpoint to go back to. Not thread-safe. Throws std::bad_alloc; changes of a turn's text are then
/// undone.
class Transcript {
 public:
  /// tokenizer: borrowed; null when there is none, then only tokens can be written.
  Transcript(const Tokenizer* tokenizer, const StreamOptions& options)
      : tokenizer_(tokenizer),
        think_(tokenizer),
        invalid_utf8_(options.invalid_utf8),
        thinking_(options.thinking),
        judge_unsettled_(options.judge_unsettled) {}

  /// Opens a turn. A user's turn puts the assistant's turn before it into the form that finished turns have
  /// in the published template: without a think block and without thinking. Errors: invalid_argument (a turn
  /// is open; a system turn that is not the first; an assistant's turn that no user's precedes);
  /// bad_tokenizer.
  [[nodiscard]] Status begin_turn(Role role);
  /// The open turn goes on. Both return the first index of the tape that changed. Errors: invalid_argument
  /// (no open turn; text and tokens in one turn); invalid_utf8.
  [[nodiscard]] Result<std::size_t> push_text(std::string_view bytes);
  /// True when push_text(bytes) would make the tape longer than n_tokens; false does not say that it would
  /// not (IncrementalEncoder::exceeds). Throws std::bad_alloc.
  [[nodiscard]] bool exceeds(std::string_view bytes, std::size_t n_tokens) const;
  /// n_fit: so many of them go on the tape; there is no room for the others.
  [[nodiscard]] Result<std::size_t> push_tokens(std::span<const TokenId> ids, std::size_t n_fit);
  /// The text is complete; a last character that is not is replaced or left out. Errors: as push_text().
  [[nodiscard]] Result<std::size_t> finish_text();
  /// Closes the turn: its <|im_end|> and line break. Returns the index of the former. On a throw nothing has
  /// changed.
  std::size_t close_turn();
  /// Takes the open turn's text from byte n on back; tokens go when they reach beyond it. Errors:
  /// invalid_argument (n is beyond the text, or the context has slid past it).
  [[nodiscard]] Result<std::size_t> rewind_to_byte(std::int64_t n);
  /// The same for a turn of tokens, of which the first n stay, and (keeps_end) the end that the model set.
  [[nodiscard]] Result<std::size_t> rewind_to_token(std::int64_t n, bool keeps_end);
  /// Takes the last of these changes back; close_turn() may have followed it.
  void undo() noexcept;

  /// Goes back to a turn that the conversation has passed: what follows is gone, and the turn is open again.
  /// Errors: invalid_argument (the context has slid past its beginning).
  [[nodiscard]] Status reopen(std::size_t turn);
  /// Forgets everything, but never gives a serial number twice.
  void clear() noexcept;
  /// Sets the tape of a new transcript; it has no turns.
  void set_tape(std::vector<TokenId> ids) noexcept { ids_ = std::move(ids); }

  /// Forgets whole turns, the oldest first but for a system turn, until at most n tokens are left. Returns
  /// the first index of the tape that changed.
  std::size_t drop_turns(std::size_t n);
  /// Forgets the tokens [begin, end) of the tape, which are the beginning of the open turn's text.
  void slide(std::size_t begin, std::size_t end);
  /// Cuts the tape, which only the open turn's last tokens reach beyond `n`.
  void cut_tape(std::size_t n) { ids_.resize(n); }

  [[nodiscard]] const ThinkTokens& think() const noexcept { return think_; }
  [[nodiscard]] std::span<const TokenId> ids() const noexcept { return ids_; }
  [[nodiscard]] std::span<const Turn> turns() const noexcept { return turns_; }
  /// The last turn; null when there is none.
  [[nodiscard]] Turn* last() noexcept { return turns_.empty() ? nullptr : &turns_.back(); }
  [[nodiscard]] const Turn* last() const noexcept { return turns_.empty() ? nullptr : &turns_.back(); }
  [[nodiscard]] bool is_open() const noexcept { return !turns_.empty() && turns_.back().is_open; }
  /// Tokens that are no longer on the tape: the difference between an index of the conversation and one of
  /// the tape, for the last turn's text.
  [[nodiscard]] std::size_t n_gone() const noexcept { return n_gone_; }

  /// Bytes of memory, capacity of the larger parts.
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  [[nodiscard]] Status need_tokenizer() const;
  [[nodiscard]] Result<Turn*> need_open(Turn::Input input);
  [[nodiscard]] Status append_header(Turn& turn);
  [[nodiscard]] Status render_closed(Turn& turn);
  [[nodiscard]] Status append_content(Turn& turn);
  /// The turn's text, which is empty but for the role's line.
  [[nodiscard]] Result<IncrementalEncoder> new_text(Role role) const;
  /// Makes the tape's end that of the open turn's text.
  std::size_t follow_text(Turn& turn);
  /// Takes the last change of the turn's text back.
  void undo_text(Turn& turn) noexcept;
  /// Notes what undo() needs; the tape is about to change from `keep` on.
  void note(const Turn& turn, std::size_t keep);
  /// The open turn without anything written.
  std::size_t empty_turn(Turn& turn);

  const Tokenizer* tokenizer_;
  ThinkTokens think_;
  InvalidUtf8 invalid_utf8_;
  Thinking thinking_;
  bool judge_unsettled_;
  std::vector<TokenId> closing_;  // <|im_end|> and a line break
  std::vector<TokenId> ids_;
  std::vector<Turn> turns_;
  std::uint64_t next_serial_ = 1;
  std::size_t n_gone_ = 0;

  // What the last change replaced.
  std::vector<TokenId> old_tail_;  // from old_keep_ on
  std::size_t old_keep_ = 0;
  bool is_text_changed_ = false;
  Turn::Input old_input_ = Turn::Input::none;
  std::size_t old_text_begin_ = 0;
  std::optional<IncrementalEncoder> old_text_;  // of a turn that was emptied
  std::vector<std::int64_t> old_ends_;          // from old_n_ends_ on
  std::size_t old_n_ends_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_TRANSCRIPT_HPP
