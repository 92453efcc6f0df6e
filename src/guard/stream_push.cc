// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <unordered_set>
#include <vector>

#include "qwen3guard/detail/guard/guarded.hpp"
#include "qwen3guard/detail/guard/stream_judge.hpp"
#include "qwen3guard/detail/guard/stream_session_impl.hpp"

namespace qwen3guard {
namespace {

/// Tokens of one forward: enough for the matrix products to be efficient, few enough for the buffers to stay
/// small and for nobody to wait long behind a large push.
constexpr std::size_t kRoundTokens = 256;
/// Of one session in a round: sessions with little to judge are not held up by one with much.
constexpr std::size_t kRoundSessionTokens = 64;

/// A push that passed its checks.
struct Running {
  StreamSession::Impl::Push* push;
  detail::StreamPolicy policy;  // the session's, ahead of it until the push has succeeded
  std::int32_t n_before;        // tokens in the cache
  std::vector<TokenVerdict> staged;
  std::size_t n_round = 0;

  [[nodiscard]] std::size_t n_left() const noexcept { return push->ids.size() - staged.size(); }
};

}  // namespace

void StreamSession::Impl::push_prompts(const Guard::Impl& guard, std::span<Prompt> prompts) {
  std::vector<Prompt*> running;
  std::vector<detail::JudgePart> parts;
  for (Prompt& push : prompts) {
    Impl& session = *push.session;
    const std::size_t n_ids = push.open_response ? push.prompt->response_begin : push.prompt->query_end + 1;
    if (session.cache_.n_tokens() > 0) {
      push.verdict = Error{ErrorCode::invalid_argument,
                           "stream: a prompt was pushed already; reset() starts a new conversation"};
      continue;
    }
    if (Status room = session.check_room(n_ids); !room.ok()) {
      push.verdict = room.error();
      continue;
    }
    // The closing <|im_end|> is judged; what opens the response comes after it.
    parts.push_back({std::span(push.prompt->ids).first(n_ids), &session.cache_, detail::HeadRole::query,
                     push.prompt->query_end, 1});
    running.push_back(&push);
  }
  auto scratch = guard.pool().borrow(guard.model(), 0);
  std::vector<TokenVerdict> verdicts;
  const Status status = detail::judge_together(guard.model(), parts, scratch->workspace, verdicts);
  for (std::size_t i = 0; i < running.size(); ++i) {
    Impl& session = *running[i]->session;
    if (!status.ok()) {
      session.cache_.truncate(0);
      running[i]->verdict = status.error();
      continue;
    }
    TokenVerdict& verdict = verdicts[i];
    verdict.flagged = verdict.severity == Severity::unsafe ||
                      (session.options_.mode == Mode::strict && verdict.severity == Severity::controversial);
    session.response_open_ = running[i]->open_response;
    running[i]->verdict = verdict;
  }
}

void StreamSession::Impl::push_together(const Guard::Impl& guard, std::span<Push> pushes) {
  std::vector<Running> running;
  const auto take_back = [&](const Status& status) {
    for (Running& r : running) {
      r.push->session->cache_.truncate(r.n_before);
      r.push->status = status;
    }
  };
  const auto run = [&]() -> Status {
    std::unordered_set<const Impl*> seen;
    for (Push& push : pushes) {
      if (push.session == nullptr || push.session->guard_->model_ptr() != guard.model_ptr()) {
        push.status = Error{ErrorCode::invalid_argument, "stream: the session is not one of this guard's"};
        continue;
      }
      if (!seen.insert(push.session).second) {
        push.status = Error{ErrorCode::invalid_argument, "stream: the session is in the batch twice"};
        continue;
      }
      Impl& session = *push.session;
      push.status = session.check_push(push.ids, push.out);
      if (push.status.ok() && !push.ids.empty())
        running.push_back({&push, session.policy_, session.cache_.n_tokens(), {}, 0});
    }
    auto scratch = guard.pool().borrow(guard.model(), 0);
    std::vector<detail::JudgePart> parts;
    std::vector<TokenVerdict> verdicts;
    for (;;) {
      parts.clear();
      verdicts.clear();
      std::size_t n_room = kRoundTokens;
      for (Running& r : running) {
        r.n_round = std::min({r.n_left(), kRoundSessionTokens, n_room});
        n_room -= r.n_round;
        if (r.n_round > 0) {
          parts.push_back({r.push->ids.subspan(r.staged.size(), r.n_round), &r.push->session->cache_,
                           detail::HeadRole::response, 0, r.n_round});
        }
      }
      if (parts.empty()) return {};
      Status status = detail::judge_together(guard.model(), parts, scratch->workspace, verdicts);
      if (!status.ok()) return status;
      auto next = verdicts.begin();
      for (Running& r : running) {
        for (std::size_t i = 0; i < r.n_round; ++i, ++next) {
          r.policy.push(*next);
          r.staged.push_back(*next);
        }
      }
    }
  };
  Status status = detail::guarded("stream", run);
  if (!status.ok()) return take_back(status);
  for (Running& r : running) {
    std::copy(r.staged.begin(), r.staged.end(), r.push->out.begin());
    r.push->session->policy_ = r.policy;
  }
}

}  // namespace qwen3guard
