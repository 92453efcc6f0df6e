// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_STREAM_SESSION_HPP
#define QWEN3GUARD_STREAM_SESSION_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

struct StreamPush;

/// One conversation judged as it is written (Stream checkpoints). Made by Guard::open_stream().
/// Use: push_prompt() once, then push_tokens() with the response's ids in any chunking; the verdicts do not
/// depend on the chunking. The cost per token does not grow with what was processed, except for attention.
/// Move-only. Thread-safety: one thread at a time per session; different sessions are independent.
class StreamSession {
 public:
  StreamSession(StreamSession&&) noexcept;
  StreamSession& operator=(StreamSession&&) noexcept;
  StreamSession(const StreamSession&) = delete;
  StreamSession& operator=(const StreamSession&) = delete;
  ~StreamSession();

  /// Feeds the user's turn and opens the assistant's. Returns the query heads' verdict at the <|im_end|>
  /// that closes the turn. `prompt` is UTF-8, borrowed for the call.
  /// Errors: invalid_argument (a prompt was pushed already); invalid_utf8; context_full.
  /// On error the session is unchanged.
  [[nodiscard]] Result<TokenVerdict> push_prompt(std::string_view prompt);

  /// The same for a conversation: any turns, the last one the user's.
  [[nodiscard]] Result<TokenVerdict> push_conversation(std::span<const Message> messages);

  /// Judges the next response tokens. ids: shape [n], each in [0, vocab_size). out: shape [>= n], out[i]
  /// judges ids[i]. Errors: invalid_argument (out too short; no prompt yet); token_out_of_range (index);
  /// context_full. Strong guarantee: on error `out`, position() and decision() are unchanged.
  [[nodiscard]] Status push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out);

  /// The debounced decision over the response tokens so far.
  [[nodiscard]] Decision decision() const;

  /// Tokens fed so far, template tokens included: the index that the next token will get.
  [[nodiscard]] std::int32_t position() const noexcept;

  /// Tokens there is room for.
  [[nodiscard]] std::int32_t max_tokens() const noexcept;

  /// Forgets the conversation; memory is kept for the next one.
  void reset() noexcept;

  class Impl;  ///< internal

 private:
  friend class Guard;
  explicit StreamSession(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

/// One session's share of Guard::push_batch(). Borrows everything.
struct StreamPush {
  StreamSession* session = nullptr;
  std::span<const TokenId> ids;  ///< [n]
  std::span<TokenVerdict> out;   ///< [>= n]
  Status status;                 ///< as StreamSession::push_tokens() would have returned it
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_STREAM_SESSION_HPP
