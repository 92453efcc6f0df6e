// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_STREAM_SESSION_IMPL_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_STREAM_SESSION_IMPL_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "qwen3guard/stream_session.hpp"

namespace qwen3guard {

namespace detail {
class HeadStream;
}

/// What stands behind a session: one form for each kind of checkpoint. The functions are those of
/// StreamSession, but may throw std::bad_alloc. Not thread-safe.
class StreamSession::Impl {
 public:
  Impl() = default;
  Impl& operator=(const Impl&) = delete;
  virtual ~Impl() = default;

  /// The last message is the user's.
  [[nodiscard]] virtual Result<TokenVerdict> push_conversation(std::span<const Message> messages) = 0;
  [[nodiscard]] virtual Status restore(std::span<const Message> messages) = 0;
  [[nodiscard]] virtual Status begin_turn(Role role) = 0;
  [[nodiscard]] virtual Result<StreamUpdate> push_text(std::string_view bytes) = 0;
  [[nodiscard]] virtual Result<StreamUpdate> push_tokens(std::span<const TokenId> ids) = 0;
  /// update: what that changed.
  [[nodiscard]] virtual Result<TurnVerdict> end_turn(StreamUpdate& update) = 0;
  [[nodiscard]] virtual StreamMark mark() const noexcept = 0;
  [[nodiscard]] virtual Result<StreamUpdate> rewind(const StreamMark& mark) = 0;
  [[nodiscard]] virtual Result<StreamUpdate> rewind_to_byte(std::int64_t n) = 0;
  [[nodiscard]] virtual std::unique_ptr<Impl> fork() const = 0;
  [[nodiscard]] virtual Decision decision() const = 0;
  [[nodiscard]] virtual Decision prompt_decision() const = 0;
  [[nodiscard]] virtual std::vector<TokenVerdict> verdicts(std::size_t begin) const = 0;
  [[nodiscard]] virtual std::size_t first_verdict() const noexcept = 0;
  [[nodiscard]] virtual std::size_t n_verdicts() const noexcept = 0;
  [[nodiscard]] virtual std::int32_t position() const noexcept = 0;
  [[nodiscard]] virtual std::int64_t turn_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::int32_t max_tokens() const noexcept = 0;
  [[nodiscard]] virtual std::size_t memory_bytes() const noexcept = 0;
  virtual void set_cancel(std::shared_ptr<const CancelFlag> cancel) noexcept = 0;
  virtual void reset() noexcept = 0;
  /// What report() and StreamBatch need to know of a session and its last turn.
  struct LastTurn {
    const Tokenizer* tokenizer = nullptr;
    Policy policy;
    InvalidUtf8 invalid_utf8 = InvalidUtf8::reject;
    Role role = Role::user;
    TokenId model_end = -1;  // the host's model has ended it with this token
  };
  [[nodiscard]] virtual LastTurn last_turn() const noexcept = 0;
  /// What StreamSession::push_tokens(ids, out) says of a change: ids that were not judged say so.
  void report(const StreamUpdate& update, std::span<const TokenId> ids, std::span<TokenVerdict> out) const;
  /// Null for a Gen checkpoint.
  [[nodiscard]] virtual detail::HeadStream* heads() noexcept = 0;

 protected:
  Impl(const Impl&) = default;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_STREAM_SESSION_IMPL_HPP
