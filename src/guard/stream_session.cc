// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/stream_session.hpp"

#include <string>
#include <utility>

#include "qwen3guard/detail/guard/guarded.hpp"
#include "qwen3guard/detail/guard/stream_session_impl.hpp"

namespace qwen3guard {

StreamSession::StreamSession(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
StreamSession::StreamSession(StreamSession&&) noexcept = default;
StreamSession& StreamSession::operator=(StreamSession&&) noexcept = default;
StreamSession::~StreamSession() = default;

Result<TokenVerdict> StreamSession::push_prompt(std::string_view prompt) {
  return detail::guarded("stream", [&] {
    const Message message{Role::user, std::string(prompt)};
    return impl_->push_conversation({&message, 1});
  });
}

Result<TokenVerdict> StreamSession::push_conversation(std::span<const Message> messages) {
  return detail::guarded("stream", [&]() -> Result<TokenVerdict> {
    if (messages.empty() || messages.back().role != Role::user) {
      return Error{ErrorCode::invalid_argument, "stream: the prompt's last message must be the user's"};
    }
    return impl_->push_conversation(messages);
  });
}

Status StreamSession::restore(std::span<const Message> messages) {
  return detail::guarded("stream", [&] { return impl_->restore(messages); });
}

Status StreamSession::begin_turn(Role role) {
  return detail::guarded("stream", [&] { return impl_->begin_turn(role); });
}

Result<StreamUpdate> StreamSession::push_text(std::string_view bytes) {
  return detail::guarded("stream", [&] { return impl_->push_text(bytes); });
}

Status StreamSession::push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out) {
  return detail::guarded("stream", [&] { return impl_->push_tokens(ids, out); });
}

Result<TurnVerdict> StreamSession::end_turn() {
  return detail::guarded("stream", [&] { return impl_->end_turn(); });
}

StreamMark StreamSession::mark() const noexcept { return impl_->mark(); }

Result<StreamUpdate> StreamSession::rewind(const StreamMark& mark) {
  return detail::guarded("stream", [&] { return impl_->rewind(mark); });
}

Result<StreamUpdate> StreamSession::rewind_to_byte(std::int64_t n) {
  return detail::guarded("stream", [&] { return impl_->rewind_to_byte(n); });
}

Result<StreamSession> StreamSession::fork() const {
  return detail::guarded("stream", [&]() -> Result<StreamSession> {
    StreamSession out(impl_->fork());
    out.set_cancel(nullptr);
    return out;
  });
}

Decision StreamSession::decision() const { return impl_->decision(); }
std::vector<TokenVerdict> StreamSession::verdicts(std::size_t begin) const { return impl_->verdicts(begin); }
std::size_t StreamSession::first_verdict() const noexcept { return impl_->first_verdict(); }
std::size_t StreamSession::n_verdicts() const noexcept { return impl_->n_verdicts(); }
std::int32_t StreamSession::position() const noexcept { return impl_->position(); }
std::int64_t StreamSession::turn_bytes() const noexcept { return impl_->turn_bytes(); }
std::int32_t StreamSession::max_tokens() const noexcept { return impl_->max_tokens(); }
std::size_t StreamSession::memory_bytes() const noexcept { return impl_->memory_bytes(); }
void StreamSession::set_cancel(std::shared_ptr<const CancelFlag> cancel) noexcept {
  impl_->set_cancel(std::move(cancel));
}
void StreamSession::reset() noexcept { impl_->reset(); }

}  // namespace qwen3guard
