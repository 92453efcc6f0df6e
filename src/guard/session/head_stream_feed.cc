// SPDX-License-Identifier: Apache-2.0
// Reading and judging: the rounds that sessions go through together, and the sliding of a full context.
#include <algorithm>
#include <utility>

#include "guard/heads/stream_judge.hpp"
#include "guard/session/head_stream.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {

std::size_t HeadStream::begin_round(Feed& feed) {
  std::size_t at = cache_.n_tokens();
  if (at >= feed.read_end) return 0;
  const OpenTurn* turn = conversation_.open();
  std::size_t limit = capacity();
  if (options_.context == ContextPolicy::slide && turn != nullptr && turn->role() == Role::assistant &&
      at >= conversation_.content_begin()) {
    const std::size_t room = capacity_for(Role::assistant), head = conversation_.content_begin();
    const std::size_t from = room - (room - head) / 2;
    if (at > from && !next_cache_) {
      // The next window was given up with a turn that is open again: it is read anew.
      cache_.truncate(from);
      at = from;
    }
    if (at == room) {
      append_verdicts(feed);
      feed.has_slid = true;
      const std::size_t n = from - head;
      conversation_.slide(head, from);
      writable().slide(n);
      cache_ = *std::move(next_cache_);
      next_cache_.reset();
      feed.judge_next -= n;
      feed.judge_end -= n;
      feed.read_end -= n;
      at -= n;
    }
    if (at == from) {
      next_cache_.emplace(guard_->model().new_cache(cache_.capacity_tokens()));
      next_cache_->share_prefix(cache_, head);
      slide_head_ = head;
      slide_from_ = from;
    }
    limit = at < from ? from : room;
  }
  return std::min(limit, feed.read_end) - at;
}

Result<std::size_t> HeadStream::run_round(const Guard::Impl& guard, std::span<Feed* const> feeds,
                                          const RoundLimits& limits) {
  std::vector<JudgePart> parts;
  std::vector<Feed*> running;
  std::size_t n_rows = 0;
  for (Feed* feed : feeds) {
    HeadStream& session = *feed->session;
    const std::size_t n_room = limits.max_tokens - n_rows;
    if (n_room == 0) break;
    const std::size_t n = std::min({session.begin_round(*feed), limits.max_session_tokens, n_room});
    if (n == 0) continue;
    n_rows += n;
    running.push_back(feed);
    const std::size_t at = session.cache_.n_tokens();
    const auto ids = session.conversation_.ids().subspan(at, n);
    const std::size_t first = std::clamp(feed->judge_next, at, at + n);
    const std::size_t last = std::clamp(feed->judge_end, first, at + n);
    parts.push_back({ids, &session.cache_, feed->role, last > first ? first - at : n, last - first});
    if (session.next_cache_) parts.push_back({ids, &*session.next_cache_, feed->role, n, 0});
  }
  if (parts.empty()) return std::size_t{0};
  const CancelFlag* cancel = running.front()->session->options_.cancel.get();
  for (const Feed* feed : running) {
    if (feed->session->options_.cancel.get() != cancel) cancel = nullptr;  // one must not stop the others
  }
  auto scratch = guard.pool().borrow(guard.model(), 0);
  std::vector<TokenVerdict> verdicts;
  Q3G_TRY(judge_together(guard.model(), parts, scratch->workspace, cancel, verdicts));
  auto next = verdicts.begin();
  for (Feed* feed : running) {
    HeadStream& session = *feed->session;
    const std::size_t end = session.cache_.n_tokens();
    for (; feed->judge_next < std::min(end, feed->judge_end); ++feed->judge_next, ++next) {
      next->position = static_cast<std::int32_t>(feed->judge_next + session.conversation_.n_gone());
      if (feed->end == Feed::End::running) {
        feed->form.add(*next);
      } else {
        feed->verdicts.push_back(*next);
      }
    }
    if (feed->end == Feed::End::due && is_read(*feed))
      feed->status = guarded("stream", [&] { return session.close(*feed); });
  }
  return n_rows;
}

void HeadStream::run_feeds(const Guard::Impl& guard, std::span<Feed> feeds) noexcept {
  const Status status = guarded("stream", [&]() -> Status {
    std::vector<Feed*> all;
    for (;;) {
      all.clear();
      for (Feed& feed : feeds) {
        if (!is_done(feed)) all.push_back(&feed);
      }
      if (all.empty()) return {};
      Q3G_TRY(run_round(guard, all, RoundLimits()));
    }
  });
  if (status.ok()) return;
  for (Feed& feed : feeds) feed.status = copy_of(status);
}

}  // namespace qwen3guard::detail
