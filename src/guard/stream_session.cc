// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/stream_session.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "qwen3guard/detail/guard/guarded.hpp"
#include "qwen3guard/detail/guard/head_verdict.hpp"
#include "qwen3guard/detail/guard/message_text.hpp"
#include "qwen3guard/detail/guard/stream_session_impl.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard {
namespace {

/// Tokens of one forward in push_tokens: enough for the matrix products to be efficient, small enough for the
/// session's buffers to stay small.
constexpr std::size_t kChunkTokens = 64;

detail::StreamPolicy make_policy(const StreamOptions& options) {
  return {options.mode, options.consecutive_tokens};
}

}  // namespace

StreamSession::Impl::Impl(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                          std::int32_t capacity_tokens)
    : guard_(std::move(guard)),
      options_(options),
      cache_(guard_->model().config(), capacity_tokens, guard_->model().kv_type()),
      policy_(make_policy(options)) {
  const detail::ModelConfig& config = guard_->model().config();
  const auto n_classes = [&](auto member) {
    return std::max((config.response_labels.*member).size(), (config.query_labels.*member).size());
  };
  hidden_.resize(kChunkTokens * static_cast<std::size_t>(config.hidden_size));
  risk_.resize(kChunkTokens * n_classes(&detail::HeadLabels::risk));
  category_.resize(kChunkTokens * n_classes(&detail::HeadLabels::category));
  staged_.reserve(kChunkTokens);
}

Status StreamSession::Impl::check_room(std::size_t n_tokens) const {
  const auto room = static_cast<std::size_t>(cache_.capacity_tokens() - cache_.n_tokens());
  if (n_tokens <= room) return {};
  return Error{ErrorCode::context_full, "stream: " + std::to_string(n_tokens) + " tokens to add, room for " +
                                            std::to_string(room) + " of " +
                                            std::to_string(cache_.capacity_tokens())};
}

Result<TokenVerdict> StreamSession::Impl::push_rendered(const detail::StreamPrompt& prompt,
                                                        bool open_response) {
  if (cache_.n_tokens() > 0) {
    return Error{ErrorCode::invalid_argument,
                 "stream: a prompt was pushed already; reset() starts a new conversation"};
  }
  const std::size_t n_ids = open_response ? prompt.response_begin : prompt.query_end + 1;
  const std::span<const TokenId> ids(prompt.ids.data(), n_ids);
  Q3G_TRY(check_room(n_ids));
  const detail::Model& model = guard_->model();
  const detail::HeadLabels& labels = model.config().query_labels;
  const std::size_t n_tail = n_ids - prompt.query_end;  // the closing <|im_end|> and what opens the response
  std::vector<float> hidden(n_tail * static_cast<std::size_t>(model.config().hidden_size));
  const detail::Span2d<float> rows(hidden.data(), n_tail,
                                   static_cast<std::size_t>(model.config().hidden_size));
  Q3G_TRY(model.forward(ids, cache_, workspace_, rows));
  model.guard_heads(detail::HeadRole::query, rows.sub_rows(0, 1), {risk_.data(), 1, labels.risk.size()},
                    {category_.data(), 1, labels.category.size()}, workspace_);
  auto verdict = detail::read_heads(labels, std::span(risk_).first(labels.risk.size()),
                                    std::span(category_).first(labels.category.size()),
                                    static_cast<std::int32_t>(prompt.query_end));
  if (!verdict.ok()) {
    cache_.truncate(0);
    return verdict;
  }
  response_open_ = open_response;
  verdict->flagged = verdict->severity == Severity::unsafe ||
                     (options_.mode == Mode::strict && verdict->severity == Severity::controversial);
  return verdict;
}

Result<TokenVerdict> StreamSession::Impl::push_conversation(std::span<const Message> messages) {
  if (messages.empty() || messages.back().role != Role::user) {
    return Error{ErrorCode::invalid_argument, "stream: the prompt's last message must be the user's"};
  }
  std::vector<Message> storage;
  Q3G_ASSIGN(const auto checked, detail::checked_messages(messages, options_.invalid_utf8, storage));
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard_->need_tokenizer());
  Q3G_ASSIGN(const detail::StreamPrompt prompt, detail::encode_stream_prompt(*tokenizer, checked));
  return push_rendered(prompt, /*open_response=*/true);
}

Status StreamSession::Impl::judge_chunk(std::span<const TokenId> ids, detail::StreamPolicy& policy) {
  const detail::Model& model = guard_->model();
  const detail::HeadLabels& labels = model.config().response_labels;
  const std::int32_t first = cache_.n_tokens();
  const detail::Span2d<float> hidden(hidden_.data(), ids.size(),
                                     static_cast<std::size_t>(model.config().hidden_size));
  const detail::Span2d<float> risk(risk_.data(), ids.size(), labels.risk.size());
  const detail::Span2d<float> category(category_.data(), ids.size(), labels.category.size());
  Q3G_TRY(model.forward(ids, cache_, workspace_, hidden));
  model.guard_heads(detail::HeadRole::response, hidden, risk, category, workspace_);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    Q3G_ASSIGN(TokenVerdict token, detail::read_heads(labels, risk.row(i), category.row(i),
                                                      first + static_cast<std::int32_t>(i)));
    policy.push(token);
    staged_.push_back(token);
  }
  return {};
}

Status StreamSession::Impl::push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out) {
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
  Q3G_TRY(check_room(ids.size()));
  const std::int32_t n_before = cache_.n_tokens();
  detail::StreamPolicy policy = policy_;
  const auto judge_all = [&]() -> Status {
    staged_.clear();
    staged_.reserve(ids.size());
    for (std::size_t i = 0; i < ids.size(); i += kChunkTokens) {
      Q3G_TRY(judge_chunk(ids.subspan(i, std::min(kChunkTokens, ids.size() - i)), policy));
    }
    return {};
  };
  Status status = detail::guarded("stream", judge_all);
  if (!status.ok()) {
    cache_.truncate(n_before);
    return status;
  }
  std::copy(staged_.begin(), staged_.end(), out.begin());
  policy_ = policy;
  return {};
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
