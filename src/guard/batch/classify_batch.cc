// SPDX-License-Identifier: Apache-2.0
#include "guard/batch/classify_batch.hpp"

#include <algorithm>
#include <list>
#include <optional>
#include <utility>

#include "guard/conversation/chat_template.hpp"
#include "guard/gen/gen_decode.hpp"
#include "guard/gen/verdict_decoder.hpp"
#include "qwen3guard/detail/util/not_cancelled.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Tokens that the conversations of one wave compute, the shared beginning of the prompt not counted. Bounds
/// the memory of their caches, and is many times what the matrix products need to run at full speed.
constexpr std::size_t kWaveTokens = 2048;

/// A conversation under way.
struct Request {
  BatchItem* item;
  Subject subject;
  std::vector<TokenId> ids;
  PrefixState::Filled filled;
  KvCache cache;
  std::optional<VerdictDecoder> decoder;
};

Status prepare(const Guard::Impl& guard, const Tokenizer& tokenizer, Workspace& workspace,
               const CancelFlag* cancel, Request& request) {
  Q3G_TRY(not_cancelled(cancel));  // so that a batch which is stopped encodes nothing more
  Q3G_ASSIGN(request.ids, encode_gen_prompt(tokenizer, request.item->messages,
                                            static_cast<std::size_t>(guard.max_context_tokens())));
  const Role last_role = request.item->messages.back().role;
  request.subject = last_role == Role::user ? Subject::prompt : Subject::response;
  const std::size_t n_needed = request.ids.size() + static_cast<std::size_t>(kMaxVerdictTokens);
  Q3G_TRY(guard.check_context(n_needed));
  request.cache = guard.model().new_cache(static_cast<std::int32_t>(n_needed));
  Q3G_ASSIGN(request.filled, guard.prefix(last_role).fill(guard.model(), tokenizer, last_role, request.ids,
                                                          request.cache, workspace, cancel));
  request.decoder.emplace(guard.model(), tokenizer,
                          std::span(request.ids).subspan(static_cast<std::size_t>(request.filled.n_tokens)),
                          request.subject);
  return {};
}

/// The verdict of a request that is done.
Result<Verdict> verdict_of(Request& request) {
  Q3G_ASSIGN(Verdict verdict, request.decoder->result());
  verdict.tokens.prompt = static_cast<std::int32_t>(request.ids.size());
  verdict.tokens.cached = request.filled.n_cached;
  return verdict;
}

/// Runs what every request waits for.
Status answer_all(const Model& model, std::list<Request>& wave, Workspace& workspace,
                  const CancelFlag* cancel) {
  const auto width = static_cast<std::size_t>(model.config().hidden_size);
  workspace.parts.clear();
  for (Request& request : wave) workspace.parts.push_back({request.decoder->tokens(), &request.cache, 1});
  workspace.hidden.reserve_discard(wave.size() * width);
  const Span2d<float> hidden(workspace.hidden.data(), wave.size(), width);
  Q3G_TRY(model.forward_batch(workspace.parts, workspace, hidden, cancel));
  std::size_t row = 0;
  for (Request& request : wave) request.decoder->answer(hidden.row(row++));
  return {};
}

}  // namespace

void classify_gen_batch(const Guard::Impl& guard, std::span<BatchItem* const> items, const CancelFlag* cancel,
                        const std::function<void(BatchItem&)>& on_done) {
  const auto tokenizer = guard.need_tokenizer();
  auto scratch = guard.pool().borrow(guard.model(), 0);
  Workspace& workspace = scratch->workspace;
  std::size_t next = 0;
  while (next < items.size()) {
    std::list<Request> wave;
    for (std::size_t n_tokens = 0; next < items.size() && n_tokens < kWaveTokens; ++next) {
      Request& request = wave.emplace_back();
      request.item = items[next];
      const Status status = tokenizer.ok() ? prepare(guard, **tokenizer, workspace, cancel, request)
                                           : Status(tokenizer.error());
      if (status.ok()) {
        n_tokens += request.ids.size() - static_cast<std::size_t>(request.filled.n_tokens);
        continue;
      }
      request.item->verdict = status.error();
      on_done(*request.item);
      wave.pop_back();
    }
    for (;;) {
      for (auto request = wave.begin(); request != wave.end();) {
        if (request->decoder->needs_tokens()) {
          ++request;
          continue;
        }
        request->item->verdict = verdict_of(*request);
        on_done(*request->item);
        request = wave.erase(request);
      }
      if (wave.empty()) break;
      const Status status = answer_all(guard.model(), wave, workspace, cancel);
      if (status.ok()) continue;
      for (Request& request : wave) {
        request.item->verdict = status.error();
        on_done(*request.item);
      }
      break;
    }
  }
}

}  // namespace qwen3guard::detail
