// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/stream_session.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "qwen3guard/detail/guard/guarded.hpp"
#include "qwen3guard/detail/guard/message_text.hpp"
#include "qwen3guard/detail/guard/stream_session_impl.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard {
namespace {

detail::StreamPolicy make_policy(const StreamOptions& options) {
  return {options.mode, options.consecutive_tokens};
}

}  // namespace

StreamSession::Impl::Impl(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                          std::int32_t capacity_tokens)
    : guard_(std::move(guard)),
      options_(options),
      cache_(guard_->model().config(), capacity_tokens, guard_->model().kv_type()),
      policy_(make_policy(options)) {}

Status StreamSession::Impl::check_room(std::size_t n_tokens) const {
  const auto room = static_cast<std::size_t>(cache_.capacity_tokens() - cache_.n_tokens());
  if (n_tokens <= room) return {};
  return Error{ErrorCode::context_full, "stream: " + std::to_string(n_tokens) + " tokens to add, room for " +
                                            std::to_string(room) + " of " +
                                            std::to_string(cache_.capacity_tokens())};
}

Result<TokenVerdict> StreamSession::Impl::push_conversation(std::span<const Message> messages) {
  if (messages.empty() || messages.back().role != Role::user) {
    return Error{ErrorCode::invalid_argument, "stream: the prompt's last message must be the user's"};
  }
  std::vector<Message> storage;
  Q3G_ASSIGN(const auto checked, detail::checked_messages(messages, options_.invalid_utf8, storage));
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  Q3G_ASSIGN(const detail::StreamPrompt prompt, detail::encode_stream_prompt(*tokenizer, checked));
  Prompt push{this, &prompt};
  push_prompts(*guard_, {&push, 1});
  return push.verdict;
}

Status StreamSession::Impl::check_push(std::span<const TokenId> ids,
                                       std::span<const TokenVerdict> out) const {
  if (!response_open_) {
    return Error{ErrorCode::invalid_argument, "stream: no prompt was pushed; push_prompt() comes first"};
  }
  if (out.size() < ids.size()) {
    return Error{ErrorCode::invalid_argument, "stream: room for " + std::to_string(out.size()) +
                                                  " verdicts, expected at least " +
                                                  std::to_string(ids.size())};
  }
  const std::int32_t vocab_size = guard_->model().config().vocab_size;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (ids[i] < 0 || ids[i] >= vocab_size) {
      return Error{ErrorCode::token_out_of_range, "stream: ids[" + std::to_string(i) + "] is " +
                                                      std::to_string(ids[i]) + "; expected 0 to " +
                                                      std::to_string(vocab_size - 1)};
    }
  }
  return check_room(ids.size());
}

void StreamSession::Impl::reset() noexcept {
  cache_.truncate(0);
  policy_ = make_policy(options_);
  response_open_ = false;
}

StreamSession::StreamSession(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
StreamSession::StreamSession(StreamSession&&) noexcept = default;
StreamSession& StreamSession::operator=(StreamSession&&) noexcept = default;
StreamSession::~StreamSession() = default;

Result<TokenVerdict> StreamSession::push_prompt(std::string_view prompt) {
  return detail::guarded("stream", [&]() -> Result<TokenVerdict> {
    const Message message{Role::user, std::string(prompt)};
    return impl_->push_conversation({&message, 1});
  });
}

Result<TokenVerdict> StreamSession::push_conversation(std::span<const Message> messages) {
  return detail::guarded("stream", [&] { return impl_->push_conversation(messages); });
}

Status StreamSession::push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out) {
  return impl_->push_tokens(ids, out);
}

Decision StreamSession::decision() const { return impl_->policy().decision(); }
std::int32_t StreamSession::position() const noexcept { return impl_->cache().n_tokens(); }
std::int32_t StreamSession::max_tokens() const noexcept { return impl_->cache().capacity_tokens(); }
void StreamSession::reset() noexcept { impl_->reset(); }

}  // namespace qwen3guard
