// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/stream_session.hpp"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "guard/conversation/tool_messages.hpp"
#include "guard/session/stream_session_impl.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

std::int64_t token_bytes(const Tokenizer* tokenizer, TokenId id) {
  const auto bytes = tokenizer == nullptr ? std::nullopt : tokenizer->token_bytes(id);
  return bytes ? static_cast<std::int64_t>(bytes->size()) : 0;
}

}  // namespace

void StreamSession::Impl::report(const StreamUpdate& update, std::span<const TokenId> ids,
                                 std::span<TokenVerdict> out) const {
  const LastTurn turn = last_turn();
  const std::size_t n_text = ids.size() - (turn.model_end >= 0 ? 1 : 0);
  const std::size_t n_judged = std::min(n_text, update.tokens.size());
  std::copy(update.tokens.end() - static_cast<std::ptrdiff_t>(n_judged), update.tokens.end(), out.begin());
  // The others: a system turn's, which are read only; what does not fit; the token that ends the turn.
  TokenVerdict none;
  none.is_settled = true;
  const Action in_force = decision().action;
  none.action = in_force > Action::allow ? in_force : Action::none;
  none.position = position() - (turn.role == Role::system ? static_cast<std::int32_t>(n_text - n_judged) : 0);
  std::int64_t byte = turn_bytes();
  for (std::size_t i = n_judged; i < n_text; ++i) byte -= token_bytes(turn.tokenizer, ids[i]);
  for (std::size_t i = n_judged; i < ids.size(); ++i, ++none.position) {
    none.id = ids[i];
    none.counts = i < n_text && turn.role != Role::system;
    none.byte_begin = byte;
    if (i < n_text) byte += token_bytes(turn.tokenizer, ids[i]);
    none.byte_end = byte;
    out[i] = none;
  }
}

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
  return detail::guarded("stream", [&]() -> Status {
    Q3G_TRY(detail::check_live_role(role));
    return impl_->begin_turn(role);
  });
}

Result<StreamUpdate> StreamSession::push_text(std::string_view bytes) {
  return detail::guarded("stream", [&] { return impl_->push_text(bytes); });
}

Status StreamSession::push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out) {
  return detail::guarded("stream", [&]() -> Status {
    if (out.size() < ids.size()) {
      return detail::error(ErrorCode::invalid_argument, "stream: room for ", out.size(),
                           " verdicts, expected at least ", ids.size());
    }
    Q3G_ASSIGN(const StreamUpdate update, impl_->push_tokens(ids));
    impl_->report(update, ids, out);
    return {};
  });
}

Result<TurnVerdict> StreamSession::end_turn() {
  return detail::guarded("stream", [&] {
    StreamUpdate update;
    return impl_->end_turn(update);
  });
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

Decision StreamSession::prompt_decision() const { return impl_->prompt_decision(); }
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
