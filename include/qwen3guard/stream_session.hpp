// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_STREAM_SESSION_HPP
#define QWEN3GUARD_STREAM_SESSION_HPP

/// @file
/// One conversation judged as it is written.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

struct StreamPush;

/// What a change of the open turn did to its verdicts. A plain value.
struct StreamUpdate {
  /// Verdicts [0, first) of the turn stand as they were reported; `tokens` takes the place of all others (a
  /// piece of text can change the tokens of the word before it).
  std::size_t first = 0;
  std::vector<TokenVerdict> tokens;  ///< number `first` of the turn and those behind it
  /// Verdicts [0, n_settled) of the turn are final: no text that follows changes them. A rewind can make
  /// fewer of them so.
  std::size_t n_settled = 0;
  /// The context is full and judging has stopped (ContextPolicy::stop); then the first byte of the turn that
  /// was not judged.
  std::optional<std::int64_t> stopped_at_byte;
};

/// What a turn came to. A plain value.
struct TurnVerdict {
  Role role = Role::user;  ///< whose turn it was
  /// Of a user's turn: the query heads at the <|im_end|> that closes it, or a Gen checkpoint's verdict.
  std::optional<TokenVerdict> prompt;
  Decision decision;  ///< StreamSession::decision() at the turn's end
  /// A Gen checkpoint's verdict on the whole turn. Empty when there is none: nothing counts, or the context
  /// was full (ContextPolicy::stop).
  std::optional<Verdict> written;
};

/// A place in a conversation to go back to (StreamSession::mark). A plain value; valid for the session that
/// made it and its forks, while the place is still in their past.
struct StreamMark {
  std::uint64_t turn = 0;    ///< serial number; 0: before the first turn
  std::int64_t n_units = 0;  ///< bytes of a turn of text, ids of one of tokens
  bool is_closed = false;    ///< the turn had ended
};

/// One conversation judged as it is written. Made by Guard::open_stream().
///
/// Turns: begin_turn(role), any number of push_text() (or, when the host's model shares the vocabulary,
/// push_tokens()), end_turn(). push_prompt() is the short form of a user's turn and of the opening of the
/// assistant's. Every token of an assistant's turn is judged by the response heads, of a user's by the query
/// heads; the tokens of a system turn are read only and have no verdicts. Verdicts do not depend on how text
/// or tokens are cut into pushes, beyond rounding (docs/numerics.md). The cost of a token does not grow with
/// what was processed, except for attention.
///
/// The model sees what the published template makes of the conversation. A response is judged as it is
/// written; when it ends, in the form that the template gives a last answer, too, its <|im_end|> and line
/// break included, and the turn's decision is the worse of the two. Line breaks in front of a response, which
/// the template strips, are one verdict with VerdictSource::none that does not count. Pushed ids stay as they
/// are. When the next turn begins, the answers before it take the form that earlier answers have, and are
/// read again.
///
/// A Gen checkpoint has the same interface: it writes a verdict every StreamOptions::gen_interval_tokens
/// tokens of the response and at its end; the tokens between carry the last one, and those of a user's turn
/// have VerdictSource::none. With ContextPolicy::slide it writes verdicts more often where the context is
/// small, so that no text slides out of its window without one.
///
/// Errors of all calls that change it: those named, internal, out_of_memory; then the session is unchanged,
/// unless its context slid during the call: then it can only be reset. Move-only. Thread-safety: one thread
/// at a time per session; different sessions, forks among them, are independent.
class StreamSession {
 public:
  /// What was moved from may only be assigned to or destroyed. @{
  StreamSession(StreamSession&&) noexcept;
  StreamSession& operator=(StreamSession&&) noexcept;  /// @}
  StreamSession(const StreamSession&) = delete;
  StreamSession& operator=(const StreamSession&) = delete;
  ~StreamSession();

  /// Feeds the user's turn and opens the assistant's. Returns the query heads' verdict at the <|im_end|> that
  /// closes the turn; its `action` is what to do, prompt_decision() says why. `prompt` is UTF-8, borrowed for
  /// the call. Errors: invalid_argument (a turn is open); invalid_utf8; context_full.
  [[nodiscard]] Result<TokenVerdict> push_prompt(std::string_view prompt);

  /// The same for several turns, the last one the user's: a conversation restored from a transcript. The
  /// turns before it are read, not judged.
  [[nodiscard]] Result<TokenVerdict> push_conversation(std::span<const Message> messages);

  /// Appends finished turns without judging them (they have no verdicts, and no decision that is complete);
  /// the model reads them with the next push. Messages of tools come into a conversation by this and by
  /// push_conversation() alone. Errors: as push_prompt(); invalid_argument (StreamOptions::dropped_messages).
  [[nodiscard]] Status restore(std::span<const Message> messages);

  /// Opens a turn. Errors: invalid_argument (a turn is open; a tool's turn, see restore();
  /// StreamOptions::dropped_messages); bad_tokenizer.
  [[nodiscard]] Status begin_turn(Role role);

  /// Goes on with the open turn: UTF-8, split anywhere, borrowed for the call. A character that is not
  /// complete waits for its other bytes. Errors: invalid_argument (no open turn, or one of tokens);
  /// invalid_utf8 (byte offset in the turn's text); context_full.
  [[nodiscard]] Result<StreamUpdate> push_text(std::string_view bytes);

  /// Judges the next tokens of the open turn. ids: shape [n], each in [0, vocab_size). out: shape [>= n],
  /// out[i] judges ids[i]; what is not judged (a system turn's ids; what does not fit with
  /// ContextPolicy::stop) has VerdictSource::none there.
  ///
  /// A host can push every id that its model writes, the end of sequence among them: <|im_end|> or
  /// <|endoftext|> as the last of an assistant's ids is taken as that. It is no part of the text: it is not
  /// judged, does not count, and is not among verdicts(); its out[i] says so, with VerdictSource::none,
  /// `counts` false, an empty byte range and the position that the turn's end will have. The turn then takes
  /// no more pushes (invalid_argument) until end_turn(), which works as ever; a rewind to before it takes it
  /// back. Any other control token (SpecialTokens), and in a user's or a system turn these two as well, would
  /// forge the conversation: an error, unless StreamOptions::allow_control_ids. Those of thinking and tools
  /// (`<think>`, `<tool_call>`, `<tool_response>` and their ends) are text.
  ///
  /// Errors: invalid_argument (out too short; no open turn, one of text, or one that the model ended; a
  /// control token, with its index); token_out_of_range (index); context_full. Strong guarantee: on error
  /// `out`, position() and decision() are unchanged.
  [[nodiscard]] Status push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out);

  /// Ends the open turn: text that waited is judged, and so is a response's end, and the response in its
  /// final form where that is another; the policy's rule for the end of a turn applies. verdicts() stay those
  /// of the text as it was written. A turn that ends inside a character ends: with InvalidUtf8::replace that
  /// is U+FFFD; with InvalidUtf8::reject its bytes are left out, and the decision names them as not judged (a
  /// user's, too). Errors: invalid_argument (no open turn); context_full.
  [[nodiscard]] Result<TurnVerdict> end_turn();

  /// Where the conversation is now. O(1).
  [[nodiscard]] StreamMark mark() const noexcept;
  /// Goes back to a mark, however long ago; a turn that was ended is open again, if it was then. What follows
  /// is as in a session that has never seen more. Cost: does not depend on what is taken back; an unsettled
  /// word is judged again, a turn in another form (see above) is read again by the next push, and one that
  /// was restored is judged when it is opened again. Returns the last turn's change as push_text() does:
  /// `first` says how many of that turn's verdicts stand. Errors: invalid_argument (the mark is not in this
  /// session's past, or the context has slid over it).
  [[nodiscard]] Result<StreamUpdate> rewind(const StreamMark& mark);
  /// Keeps the first n bytes of the open turn's text. In a turn of tokens, those that reach beyond go, and so
  /// does the end that the model set. A turn of which nothing is left may go on as text or as tokens.
  /// Errors: invalid_argument (no open turn; n beyond the text or before the window).
  [[nodiscard]] Result<StreamUpdate> rewind_to_byte(std::int64_t n);

  /// A second session with the same past, whose keys and values both share; each goes on in memory of its
  /// own. Errors: out_of_memory.
  [[nodiscard]] Result<StreamSession> fork() const;

  /// Another flag than StreamOptions::cancel for the calls from now on; null: none. A fork begins without
  /// one.
  void set_cancel(std::shared_ptr<const CancelFlag> cancel) noexcept;

  /// The policy's decision over the open (or else the last) turn's tokens so far. Of a user's turn, when it
  /// has ended, it is by the one verdict on it, TurnVerdict::prompt, and not complete when its end left bytes
  /// out; before that, of a system turn and before the first turn it is not_judged. Thinking that is skipped
  /// is not among what has to be judged, except when no answer follows it: then all of it is unjudged.
  [[nodiscard]] Decision decision() const;

  /// The decision on the last user's turn that ended, whose ruling says what the policy makes of the prompt;
  /// not_judged when there is none, or it was restored.
  [[nodiscard]] Decision prompt_decision() const;

  /// The verdicts of that turn's tokens: what the updates add up to. With ContextPolicy::slide the oldest are
  /// gone; first_verdict() is the index of the first one that is there, and n_verdicts() one more than that
  /// of the last. begin: the index to begin with, when it is larger.
  [[nodiscard]] std::vector<TokenVerdict> verdicts(std::size_t begin = 0) const;
  /// See verdicts(). @{
  [[nodiscard]] std::size_t first_verdict() const noexcept;
  [[nodiscard]] std::size_t n_verdicts() const noexcept;
  /// @}

  /// Tokens of the conversation so far: the index that the next token will get. Template tokens are included,
  /// but for a Gen checkpoint, which counts the tokens of the turns' texts. What ContextPolicy::stop did not
  /// judge is not included.
  [[nodiscard]] std::int32_t position() const noexcept;
  /// Bytes of the open (or else the last) turn's text as the host gave it, judged or not.
  [[nodiscard]] std::int64_t turn_bytes() const noexcept;

  /// Tokens there is room for.
  [[nodiscard]] std::int32_t max_tokens() const noexcept;
  /// Bytes of memory that the session holds; pages of keys and values that are shared count in full.
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

  /// Forgets the conversation; memory is kept for the next one.
  void reset() noexcept;

  class Impl;  ///< internal

 private:
  friend class Guard;
  friend class HoldBack;
  friend class StreamBatch;
  explicit StreamSession(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// One session's share of Guard::push_batch(). Borrows everything.
struct StreamPush {
  StreamSession* session = nullptr;  ///< that this guard, or a copy of it, opened
  std::span<const TokenId> ids;      ///< [n]
  std::span<TokenVerdict> out;       ///< [>= n]
  Status status;                     ///< as StreamSession::push_tokens() would have returned it
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_STREAM_SESSION_HPP
