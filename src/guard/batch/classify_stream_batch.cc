// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <utility>
#include <vector>

#include "guard/batch/wave.hpp"
#include "guard/conversation/chat_template.hpp"
#include "guard/session/head_stream.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {
namespace {

struct Request {
  BatchItem* item = nullptr;
  std::unique_ptr<HeadStream> session;
  HeadStream::Feed feed;
  bool judges_response = false;
  std::size_t n_tokens = 0;
};

Status prepare(const std::shared_ptr<const Guard::Impl>& guard,
               const std::shared_ptr<const CancelFlag>& cancel, Request& request) {
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard->need_tokenizer());
  Q3G_ASSIGN(StreamPrompt prompt,
             encode_stream_prompt(*tokenizer, request.item->messages,
                                  static_cast<std::size_t>(guard->max_context_tokens())));
  request.judges_response = request.item->messages.back().role == Role::assistant;
  if (request.judges_response && prompt.response_begin == prompt.ids.size()) {
    return Error{ErrorCode::invalid_argument,
                 "messages: the response is empty; a Stream checkpoint judges tokens and there is none"};
  }
  const std::size_t n = request.n_tokens = request.judges_response ? prompt.ids.size() : prompt.query_end + 1;
  Q3G_TRY(guard->check_context(n));
  StreamOptions options;
  options.cancel = cancel;
  request.session = std::make_unique<HeadStream>(guard, options, static_cast<std::int32_t>(n));
  request.feed =
      request.judges_response
          ? request.session->plan_tape(std::move(prompt.ids), HeadRole::response, prompt.response_begin, n)
          : request.session->plan_tape(std::move(prompt.ids), HeadRole::query, prompt.query_end, n);
  return {};
}

/// The token whose probabilities go with the decision: where it fell; of a Safe response the last Safe one.
TokenVerdict shown_token(const Decision& decision, std::span<const TokenVerdict> tokens) {
  if (decision.token) return *decision.token;
  const auto last_safe = std::find_if(tokens.rbegin(), tokens.rend(),
                                      [](const TokenVerdict& t) { return t.severity == Severity::safe; });
  return last_safe != tokens.rend() ? *last_safe : tokens.back();
}

Verdict verdict_of(Request& request) {
  Verdict verdict;
  TokenVerdict token = request.feed.verdicts.back();
  verdict.severity = token.severity;
  if (request.judges_response) {
    const Decision decision = decide(DecisionPolicy(), request.feed.verdicts, false);
    verdict.severity = decision.severity;
    token = shown_token(decision, request.feed.verdicts);
  }
  verdict.probabilities = token.probabilities;
  verdict.position = token.position;
  if (verdict.severity != Severity::safe) {
    verdict.categories.push_back(
        {token.category, token.category_probabilities[static_cast<std::size_t>(token.category)]});
  }
  verdict.tokens.prompt = static_cast<std::int32_t>(request.n_tokens);
  return verdict;
}

class StreamWave final : public Wave {
 public:
  StreamWave(std::shared_ptr<const Guard::Impl> guard, const ClassifyOptions& options)
      : guard_(std::move(guard)), options_(options) {}

  Result<std::size_t> add(BatchItem& item) override {
    Request request;
    request.item = &item;
    Q3G_TRY(prepare(guard_, options_.cancel, request));
    requests_.push_back(std::move(request));
    return requests_.back().n_tokens;
  }

  void run(const std::function<void(BatchItem&)>& on_done) override {
    std::vector<HeadStream::Feed> feeds;
    for (Request& request : requests_) feeds.push_back(std::move(request.feed));
    HeadStream::run_feeds(*guard_, feeds);
    auto feed = feeds.begin();
    for (Request& request : requests_) {
      request.feed = std::move(*feed++);
      if (request.feed.status.ok()) {
        request.item->verdict = verdict_of(request);
      } else {
        request.item->verdict = request.feed.status.error();
      }
      on_done(*request.item);
    }
    requests_.clear();
  }

 private:
  std::shared_ptr<const Guard::Impl> guard_;
  const ClassifyOptions& options_;
  std::vector<Request> requests_;
};

}  // namespace

std::unique_ptr<Wave> stream_wave(std::shared_ptr<const Guard::Impl> guard, const ClassifyOptions& options) {
  return std::make_unique<StreamWave>(std::move(guard), options);
}

}  // namespace qwen3guard::detail
