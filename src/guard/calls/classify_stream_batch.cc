// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/calls/wave.hpp"
#include "guard/conversation/answer_parts.hpp"
#include "guard/conversation/markup.hpp"
#include "guard/session/head_stream.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

struct StreamRequest {
  BatchItem* item = nullptr;
  std::unique_ptr<HeadStream> session;
  HeadStream::Feed feed;
  std::size_t n_tokens = 0;
  PrefixCache::Shared shared;
};

/// What a Stream checkpoint can judge. Errors: invalid_argument.
Status check_messages(std::span<const Message> messages) {
  if (messages.empty()) return error(ErrorCode::invalid_argument, "messages: empty; expected at least one");
  const Message& last = messages.back();
  if (last.role != Role::user && last.role != Role::assistant) {
    return error(ErrorCode::invalid_argument, "messages: the last one is a ", quote(to_string(last.role)),
                 " message; expected \"user\" or \"assistant\"");
  }
  if (last.role == Role::user) return {};
  const bool has_prompt = std::any_of(messages.begin(), messages.end(), [](const Message& message) {
    return message.role == Role::user || message.role == Role::tool;
  });
  if (!has_prompt) {
    return error(ErrorCode::invalid_argument, "messages: a response needs a user message before it");
  }
  if (last.content.find_first_not_of('\n') != std::string::npos) return {};
  return error(ErrorCode::invalid_argument,
               "messages: the response is empty; a Stream checkpoint judges tokens and there is none");
}

Status prepare(const std::shared_ptr<const Guard::Impl>& guard, const ClassifyOptions& classify,
               StreamRequest& request) {
  Q3G_TRY(guard->need_tokenizer());
  Q3G_TRY(check_messages(request.item->messages));
  StreamOptions options;
  options.policy = classify.policy;
  options.context = ContextPolicy::error;
  // Windows are of the answer behind the thinking that is skipped, whatever they begin with.
  const bool is_answer = request.item->part_of != nullptr && classify.thinking == Thinking::skip;
  options.thinking = is_answer ? Thinking::none : classify.thinking;
  options.cancel = classify.cancel;
  request.session = std::make_unique<HeadStream>(guard, options, guard->max_context_tokens());
  Q3G_ASSIGN(request.feed, request.session->plan_conversation(request.item->messages));
  if (request.item->beginning != nullptr)
    request.session->share_beginning(*request.item->beginning, request.feed, request.shared);
  request.n_tokens = request.session->ids().size() - request.shared.n_tokens;
  return {};
}

/// The token whose probabilities go with the decision: where it fell; of a Safe response the last Safe one.
TokenVerdict shown_token(const Decision& decision, std::span<const TokenVerdict> tokens) {
  if (decision.token) return *decision.token;
  const auto last_safe = std::find_if(tokens.rbegin(), tokens.rend(),
                                      [](const TokenVerdict& t) { return t.severity == Severity::safe; });
  return last_safe != tokens.rend() ? *last_safe : tokens.back();
}

/// Keeps what decide() needs to rule again.
void keep_tokens(Verdict& verdict, const FinalForm::Judged& judged, bool is_rendered) {
  std::vector<TokenVerdict>& out = verdict.token_verdicts;
  const auto append = [&](const std::vector<TokenVerdict>& tokens) {
    // What has no verdict at all stands in front, where it ends no run.
    TokenVerdict missing;
    missing.byte_begin = judged.missing.begin;
    missing.byte_end = judged.missing.end;
    missing.is_settled = true;
    if (judged.missing.is_any) out.push_back(missing);
    out.insert(out.end(), tokens.begin(), tokens.end());
  };
  if (is_rendered && !judged.as_written.empty()) {
    append(judged.as_written);
    verdict.n_as_written = static_cast<std::int32_t>(out.size());
    append(judged.final_form);
    return;
  }
  // One after the other they are one form.
  std::vector<TokenVerdict> whole = judged.as_written;
  whole.insert(whole.end(), judged.final_form.begin(), judged.final_form.end());
  append(whole);
}

Verdict verdict_of(const ClassifyOptions& options, StreamRequest& request) {
  StreamUpdate update;
  FinalForm::Judged judged;
  const TurnVerdict turn = request.session->commit_end(request.feed, update, &judged);
  const TokenVerdict token = turn.prompt ? *turn.prompt : shown_token(turn.decision, judged.final_form);
  Verdict verdict;
  verdict.role = turn.role;
  verdict.severity = turn.decision.severity;
  verdict.ruling = turn.decision.ruling;
  if (options.keep_token_verdicts) keep_tokens(verdict, judged, request.feed.form.is_rendered());
  verdict.tokens.prompt = static_cast<std::int32_t>(request.feed.judge_end);
  verdict.tokens.cached = static_cast<std::int32_t>(request.shared.n_cached);
  if (verdict.severity == Severity::not_judged) return verdict;
  verdict.probabilities = token.probabilities;
  verdict.position = token.position;
  if (verdict.severity > Severity::safe) {
    verdict.categories.push_back(
        {token.category, token.category_probabilities[static_cast<std::size_t>(token.category)]});
  }
  return verdict;
}

class StreamWave final : public Wave {
 public:
  StreamWave(std::shared_ptr<const Guard::Impl> guard, const ClassifyOptions& options)
      : guard_(std::move(guard)), options_(options) {}

  Result<std::size_t> add(BatchItem& item) override {
    StreamRequest request;
    request.item = &item;
    Q3G_TRY(prepare(guard_, options_, request));
    requests_.push_back(std::move(request));
    return requests_.back().n_tokens;
  }

  Result<Placed> place(std::span<const Message> messages) override {
    BatchItem item{messages};
    StreamRequest request;
    request.item = &item;
    Q3G_TRY(prepare(guard_, options_, request));
    const auto ids = request.session->ids();
    return Placed{{ids.begin(), ids.end()}, request.feed.judge_end};
  }

  Result<SharedBeginning> read(Role /*last_role*/, std::vector<TokenId> ids) override {
    constexpr std::size_t kMinTokens = 64;
    if (ids.size() < kMinTokens) return SharedBeginning();
    auto scratch = guard_->pool().borrow(guard_->model(), 0);
    KvCache cache = guard_->model().new_cache(ids.size());
    Q3G_TRY(guard_->model().forward(ids, cache, scratch->workspace, {}, options_.cancel.get()));
    return SharedBeginning(std::move(ids), std::move(cache), 0);
  }

  Status run(const std::function<Status(BatchItem&)>& on_done) override {
    std::vector<HeadStream::Feed> feeds;
    for (StreamRequest& request : requests_) feeds.push_back(std::move(request.feed));
    HeadStream::run_feeds(*guard_, feeds);
    auto feed = feeds.begin();
    for (StreamRequest& request : requests_) {
      request.feed = std::move(*feed++);
      if (request.feed.status.ok()) {
        request.item->verdict = verdict_of(options_, request);
      } else {
        request.item->verdict = request.feed.status.error();
      }
      Q3G_TRY(on_done(*request.item));
    }
    requests_.clear();
    return {};
  }

 private:
  std::shared_ptr<const Guard::Impl> guard_;
  const ClassifyOptions& options_;
  std::vector<StreamRequest> requests_;
};

}  // namespace

std::unique_ptr<Wave> stream_wave(std::shared_ptr<const Guard::Impl> guard, const ClassifyOptions& options) {
  return std::make_unique<StreamWave>(std::move(guard), options);
}

}  // namespace qwen3guard::detail
