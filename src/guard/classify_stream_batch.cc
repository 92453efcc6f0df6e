// SPDX-License-Identifier: Apache-2.0
#include <list>
#include <utility>
#include <vector>

#include "qwen3guard/detail/guard/chat_template.hpp"
#include "qwen3guard/detail/guard/classify_batch.hpp"
#include "qwen3guard/detail/guard/stream_session_impl.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Tokens of one wave: bounds the memory of the caches.
constexpr std::size_t kWaveTokens = 2048;

struct Request {
  BatchItem* item;
  StreamPrompt prompt;
  bool judges_response = false;
  std::size_t n_tokens = 0;
  std::optional<StreamSession::Impl> session;
  TokenVerdict query;
  std::vector<TokenVerdict> tokens;

  [[nodiscard]] std::span<const TokenId> response() const {
    return std::span(prompt.ids).subspan(prompt.response_begin);
  }
};

Status prepare(const std::shared_ptr<const Guard::Impl>& guard, Mode mode, Request& request) {
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard->need_tokenizer());
  Q3G_ASSIGN(request.prompt, encode_stream_prompt(*tokenizer, request.item->messages));
  request.judges_response = request.item->messages.back().role == Role::assistant;
  if (request.judges_response && request.response().empty()) {
    return Error{ErrorCode::invalid_argument,
                 "messages: the response is empty; a Stream checkpoint judges tokens and there is none"};
  }
  request.n_tokens = request.judges_response ? request.prompt.ids.size() : request.prompt.query_end + 1;
  Q3G_TRY(guard->check_context(request.n_tokens));
  StreamOptions options;
  options.mode = mode;
  request.session.emplace(guard, options, static_cast<std::int32_t>(request.n_tokens));
  if (request.judges_response) request.tokens.resize(request.response().size());
  return {};
}

Verdict verdict_of(const Request& request) {
  Verdict verdict;
  TokenVerdict token = request.query;
  verdict.severity = token.severity;
  if (request.judges_response) {
    const Decision decision = request.session->policy().decision();
    verdict.severity = decision.severity;
    token = decision.token.value_or(request.tokens.back());
  }
  verdict.probabilities = token.probabilities;
  if (verdict.severity != Severity::safe) {
    verdict.categories.push_back(
        {token.category, token.category_probabilities[static_cast<std::size_t>(token.category)]});
  }
  verdict.tokens.prompt = static_cast<std::int32_t>(request.n_tokens);
  return verdict;
}

void judge_wave(const Guard::Impl& guard, std::list<Request>& wave,
                const std::function<void(BatchItem&)>& on_done) {
  std::vector<StreamSession::Impl::Prompt> prompts;
  for (Request& request : wave)
    prompts.push_back({&*request.session, &request.prompt, request.judges_response});
  StreamSession::Impl::push_prompts(guard, prompts);
  std::vector<StreamSession::Impl::Push> pushes;
  std::vector<Request*> responses;
  std::size_t i = 0;
  for (Request& request : wave) {
    const Result<TokenVerdict>& verdict = prompts[i++].verdict;
    if (!verdict.ok()) {
      request.item->verdict = verdict.error();
    } else if (request.query = *verdict; request.judges_response) {
      pushes.push_back({&*request.session, request.response(), request.tokens, {}});
      responses.push_back(&request);
    } else {
      request.item->verdict = verdict_of(request);
    }
  }
  StreamSession::Impl::push_together(guard, pushes);
  for (std::size_t p = 0; p < pushes.size(); ++p) {
    if (pushes[p].status.ok()) {
      responses[p]->item->verdict = verdict_of(*responses[p]);
    } else {
      responses[p]->item->verdict = pushes[p].status.error();
    }
  }
  for (Request& request : wave) on_done(*request.item);
}

}  // namespace

void classify_stream_batch(const std::shared_ptr<const Guard::Impl>& guard, std::span<BatchItem* const> items,
                           Mode mode, const std::function<void(BatchItem&)>& on_done) {
  std::size_t next = 0;
  while (next < items.size()) {
    std::list<Request> wave;
    for (std::size_t n_tokens = 0; next < items.size() && n_tokens < kWaveTokens; ++next) {
      Request& request = wave.emplace_back();
      request.item = items[next];
      const Status status = prepare(guard, mode, request);
      if (status.ok()) {
        n_tokens += request.n_tokens;
        continue;
      }
      request.item->verdict = status.error();
      on_done(*request.item);
      wave.pop_back();
    }
    if (!wave.empty()) judge_wave(*guard, wave, on_done);
  }
}

}  // namespace qwen3guard::detail
