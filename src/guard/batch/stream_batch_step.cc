// SPDX-License-Identifier: Apache-2.0
// The side of the model: which sessions go through the next forward, and what comes of it.
#include <algorithm>
#include <chrono>
#include <utility>

#include "guard/batch/stream_batch_impl.hpp"
#include "guard/conversation/message_text.hpp"
#include "util/exceptions.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {

using detail::HeadStream;

namespace {

/// Of an operation that nobody has looked at.
std::size_t guess_rows(const StreamBatch::Impl::Op& op) noexcept {
  return std::max<std::size_t>(op.ids.size() + op.text.size() / 4, 1);
}

/// At this byte of the turn something is missing that failed: what came of the rest is not complete.
void miss(const Policy& policy, Decision& decision, std::int64_t at, bool has_ended) {
  const bool has_range = decision.unjudged_begin < decision.unjudged_end;
  decision.unjudged_begin = has_range ? std::min(decision.unjudged_begin, at) : at;
  decision.unjudged_end = has_range ? std::max(decision.unjudged_end, at) : at;
  detail::make_incomplete(policy, decision, has_ended);
}

void miss(const Policy& policy, TurnVerdict& turn, std::int64_t at) {
  miss(policy, turn.decision, at, true);
  if (turn.prompt && turn.prompt->severity == Severity::safe) turn.prompt->severity = Severity::not_judged;
  if (turn.prompt) turn.prompt->action = turn.decision.action;
  if (!turn.written) return;
  if (turn.written->severity == Severity::safe) turn.written->severity = Severity::not_judged;
  Ruling& ruling = turn.written->ruling;
  Ruling unjudged = rule_unjudged(policy);
  if (ruling.action <= Action::allow || ruling.action < unjudged.action) ruling = std::move(unjudged);
}

double ms_of(detail::TimeSource::TimePoint time) noexcept {
  return std::chrono::duration<double, std::milli>(time.time_since_epoch()).count();
}

}  // namespace

/// The entry's next operations: turns that open, then one that is judged.
void StreamBatch::Impl::take_ops(Entry& entry) noexcept {
  entry.ops.clear();
  while (!entry.queue.empty()) {
    Op op = std::move(entry.queue.front());
    entry.queue.pop_front();
    entry.queued_bytes -= op.text.size() + op.ids.size() * sizeof(TokenId);
    const bool is_judged = op.is_judged();
    entry.current = op.times;
    entry.ops.push_back(std::move(op));
    if (is_judged) break;
  }
}

std::vector<StreamBatch::Impl::Entry*> StreamBatch::Impl::pick(std::size_t n_rows) {
  std::vector<Entry*> picked;
  const auto most = static_cast<std::size_t>(options_.max_session_tokens);
  const std::lock_guard lock(mutex_);
  // What is picked is busy until run() has released it: from here to there nothing may throw.
  has_no_memory_ = !detail::if_memory_lasts([&] {
    picked.reserve(std::min(n_rows, ready_.size()));
    feeds_.reserve(picked.capacity());
  });
  if (has_no_memory_) return picked;  // another time
  for (std::size_t n = 0; n < n_rows && !ready_.empty();) {
    Entry& entry = *find(ready_.begin()->second);
    if (!detail::if_memory_lasts([&] { entry.ops.reserve(entry.queue.size()); })) {
      has_no_memory_ = picked.empty();
      break;  // another time
    }
    picked.push_back(&entry);
    unset_ready(entry);
    entry.is_busy = true;
    if (!entry.feed) take_ops(entry);
    // A guess; what does not fit goes on in the next forward.
    n += std::min(most, entry.feed ? HeadStream::n_left(*entry.feed) : guess_rows(entry.ops.back()));
  }
  return picked;
}

void StreamBatch::Impl::add_event(Entry& entry, const Op& op, StreamEvent event) {
  const TimePoint now = time_->now();
  event.waited_ms = std::chrono::duration<double, std::milli>(now - op.times.pushed).count();
  event.is_late = now > op.times.deadline;
  const bool is_added = detail::if_memory_lasts([&] {
    event.decision = entry.session.decision();
    const bool is_end = event.kind == StreamEvent::Kind::turn_end;
    const bool is_error = event.kind == StreamEvent::Kind::error;
    const Policy policy = entry.session.impl_->last_turn().policy;
    if (entry.gap_byte) {
      miss(policy, event.decision, *entry.gap_byte, is_end || is_error);
      if (is_end) miss(policy, event.turn, *entry.gap_byte);
    } else if (is_error) {
      // What failed was not judged, whatever the turn came to without it.
      detail::make_incomplete(policy, event.decision, true);
    }
    entry.new_events.push_back(std::move(event));
  });
  if (!is_added) entry.has_lost_new_events = true;
}

void StreamBatch::Impl::fail(Entry& entry, const Op& op, Status status) {
  if (op.group != 0) {
    // A prompt is judged as a whole or not at all.
    entry.failed_group = op.group;
    static_cast<void>(entry.session.rewind(entry.group_begin));
  } else if (op.kind == Op::Kind::text || op.kind == Op::Kind::tokens) {
    // What is behind it goes on, but the turn is not what the host has said.
    const std::int64_t at = entry.session.turn_bytes();
    entry.gap_byte = std::min(entry.gap_byte.value_or(at), at);
  }
  StreamEvent event;
  event.kind = StreamEvent::Kind::error;
  event.status = std::move(status);
  add_event(entry, op, std::move(event));
}

void StreamBatch::Impl::plan_op(Entry& entry, Op& op) {
  HeadStream* heads = entry.session.impl_->heads();
  if (op.kind == Op::Kind::begin_turn) {
    if (op.group != 0 && op.role == Role::user) entry.group_begin = entry.session.mark();
    Status status = entry.session.begin_turn(op.role);
    if (!status.ok()) return fail(entry, op, std::move(status));
    entry.gap_byte.reset();
    return;
  }
  if (op.kind == Op::Kind::text && op.group != 0) {
    Status status = detail::check_whole_text(op.text, entry.session.impl_->last_turn().invalid_utf8);
    if (!status.ok()) return fail(entry, op, std::move(status));
  }
  if (heads == nullptr) {
    // A checkpoint that writes its verdicts does so one session after the other.
    StreamEvent event;
    Status status;
    if (op.kind == Op::Kind::end_turn) {
      Result<TurnVerdict> turn = entry.session.impl_->end_turn(event.update);
      if (turn.ok())
        event.turn = *std::move(turn);
      else
        status = turn.error();
      event.kind = StreamEvent::Kind::turn_end;
    } else {
      Result<StreamUpdate> update = op.kind == Op::Kind::text ? entry.session.push_text(op.text)
                                                              : entry.session.impl_->push_tokens(op.ids);
      if (update.ok())
        event.update = *std::move(update);
      else
        status = update.error();
    }
    if (!status.ok()) return fail(entry, op, std::move(status));
    entry.n_judged += event.update.tokens.size();
    return add_event(entry, op, std::move(event));
  }
  Result<HeadStream::Feed> feed = op.kind == Op::Kind::text     ? heads->plan_text(op.text)
                                  : op.kind == Op::Kind::tokens ? heads->plan_tokens(op.ids)
                                                                : heads->plan_end();
  if (!feed.ok()) return fail(entry, op, feed.error());
  entry.feed = *std::move(feed);
}

void StreamBatch::Impl::plan(Entry& entry) {
  if (entry.feed) return;
  for (Op& op : entry.ops) {
    entry.done_bytes += op.reserved_bytes;
    if (op.group != 0 && op.group == entry.failed_group) continue;
    Status status = detail::guarded("stream batch", [&]() -> Status { return plan_op(entry, op), Status(); });
    if (!status.ok()) fail(entry, op, std::move(status));
  }
  // What a feed may need stays reserved until it is done.
  if (entry.feed) entry.done_bytes -= entry.ops.back().reserved_bytes;
}

void StreamBatch::Impl::finish(Entry& entry) {
  if (!entry.feed) return;
  HeadStream& heads = *entry.session.impl_->heads();
  HeadStream::Feed& feed = *entry.feed;
  const Op& op = entry.ops.back();
  entry.done_bytes += op.reserved_bytes;
  Status status = detail::guarded("stream batch", [&]() -> Status {
    if (!feed.status.ok()) {
      heads.abandon(feed);
      return std::move(feed.status);
    }
    StreamEvent event;
    if (op.kind == Op::Kind::end_turn) {
      event.kind = StreamEvent::Kind::turn_end;
      event.turn = heads.commit_end(feed, event.update);
    } else {
      event.update = heads.commit(feed);
    }
    entry.n_judged += event.update.tokens.size();
    if (op.group == 0 || op.kind == Op::Kind::end_turn) add_event(entry, op, std::move(event));
    return {};
  });
  entry.feed.reset();
  if (!status.ok()) fail(entry, op, std::move(status));
}

/// Events that nobody has taken yet and that say the same in parts become one, so that their memory is
/// bounded by the turn.
void StreamBatch::Impl::join_events(Entry& entry) {
  for (StreamEvent& event : entry.new_events) {
    n_late_ += event.is_late ? 1 : 0;
    StreamEvent* last = entry.events.empty() ? nullptr : &entry.events.back();
    if (event.kind == StreamEvent::Kind::update && last != nullptr &&
        last->kind == StreamEvent::Kind::update) {
      const std::size_t n_kept =
          event.update.first > last->update.first ? event.update.first - last->update.first : 0;
      last->update.tokens.resize(std::min(n_kept, last->update.tokens.size()));
      last->update.first = std::min(last->update.first, event.update.first);
      last->update.tokens.insert(last->update.tokens.end(), event.update.tokens.begin(),
                                 event.update.tokens.end());
      last->update.n_settled = event.update.n_settled;
      last->update.stopped_at_byte = event.update.stopped_at_byte;
      last->decision = event.decision;
      last->waited_ms = std::max(last->waited_ms, event.waited_ms);
      last->is_late = last->is_late || event.is_late;
    } else {
      entry.events.push_back(std::move(event));
    }
  }
  entry.new_events.clear();
  entry.event_bytes = 0;
  for (const StreamEvent& event : entry.events)
    entry.event_bytes += sizeof event + event.update.tokens.capacity() * sizeof(TokenVerdict);
}

void StreamBatch::Impl::release(Entry& entry) noexcept {
  if (!detail::if_memory_lasts([&] { join_events(entry); })) {
    entry.new_events.clear();
    entry.has_lost_events = true;
  }
  if (std::exchange(entry.has_lost_new_events, false)) entry.has_lost_events = true;
  entry.held_bytes = entry.session_bytes;
  entry.reserved_bytes -= std::min(entry.reserved_bytes, entry.done_bytes);
  entry.done_bytes = 0;
  if (entry.failed_group != 0) {
    while (!entry.queue.empty() && entry.queue.front().group == entry.failed_group) {
      const Op& op = entry.queue.front();
      entry.reserved_bytes -= std::min(entry.reserved_bytes, op.reserved_bytes);
      entry.queued_bytes -= op.text.size() + op.ids.size() * sizeof(TokenId);
      entry.queue.pop_front();
    }
    entry.failed_group = 0;
  }
  settle_account(entry);
  n_tokens_ += std::exchange(entry.n_judged, 0);
  if (!entry.feed) entry.current.reset();
  if (entry.n_new_rows > 0) {
    entry.n_served_rows += std::exchange(entry.n_new_rows, 0);
    move_on(entry);
  }
  entry.is_busy = false;
  set_ready(entry);
}

std::size_t StreamBatch::Impl::run(std::vector<Entry*>& picked, std::size_t n_rows) {
  feeds_.clear();
  const double begin_ms = ms_of(time_->now());
  std::size_t n_done = 0;
  for (Entry* entry : picked) {
    plan(*entry);
    entry->n_left = entry->feed ? HeadStream::n_left(*entry->feed) : guess_rows(entry->ops.back());
    if (entry->feed) feeds_.push_back(&*entry->feed);
    // A checkpoint that writes its verdicts has done so.
    if (entry->session.impl_->heads() == nullptr) ++n_done;
  }
  const Status status = detail::guarded("stream batch", [&]() -> Status {
    Q3G_ASSIGN(const std::size_t n,
               HeadStream::run_round(*shared_, feeds_,
                                     {n_rows, static_cast<std::size_t>(options_.max_session_tokens)}));
    n_done += n;
    return {};
  });
  time_->end_forward(n_done);
  std::size_t n_judged = 0;
  for (Entry* entry : picked) {
    if (entry->feed) {
      if (!status.ok()) entry->feed->status = detail::copy_of(status);
      if (!status.ok() || HeadStream::is_done(*entry->feed)) finish(*entry);
    }
    const std::size_t n_left = entry->feed ? HeadStream::n_left(*entry->feed) : 0;
    entry->n_new_rows =
        std::max<std::size_t>(entry->n_left - std::min(n_left, entry->n_left), entry->feed ? 0 : 1);
    n_judged += entry->n_judged;
    entry->session_bytes = entry->session.memory_bytes();
  }
  if (n_done > 0) planner_.end(n_done, begin_ms, ms_of(time_->now()));
  const std::lock_guard lock(mutex_);
  for (Entry* entry : picked) release(*entry);
  ++n_steps_;
  return n_judged;
}

std::optional<bool> StreamBatch::Impl::is_first_overdue() {
  const std::lock_guard lock(mutex_);
  if (ready_.empty()) return std::nullopt;
  return is_overdue(*find(ready_.begin()->second), time_->now());
}

std::size_t StreamBatch::Impl::step(double budget_ms, bool must_run) {
  const double start_ms = ms_of(time_->now());
  std::unique_lock stepping(step_mutex_, std::defer_lock);
  // Another thread that steps has the model, perhaps for longer than this one has time.
  if (must_run)
    stepping.lock();
  else if (!stepping.try_lock())
    return 0;
  std::size_t n_judged = 0;
  for (bool is_first = true;; is_first = false) {
    const std::optional<bool> is_late = is_first_overdue();
    if (!is_late) return n_judged;
    const double now_ms = ms_of(time_->now());
    const std::size_t n_rows =
        planner_.n_rows({static_cast<std::size_t>(options_.max_step_tokens), budget_ms - (now_ms - start_ms),
                         is_first, must_run, *is_late, now_ms});
    if (n_rows == 0) return n_judged;
    std::vector<Entry*> picked = pick(n_rows);
    if (picked.empty()) return n_judged;
    n_judged += run(picked, n_rows);
    changed_.notify_all();
  }
}

/// A forward of the batch's own thread.
void StreamBatch::Impl::run_once() {
  const std::lock_guard stepping(step_mutex_);
  std::vector<Entry*> picked = pick(static_cast<std::size_t>(options_.max_step_tokens));
  if (picked.empty()) return;
  run(picked, static_cast<std::size_t>(options_.max_step_tokens));
  changed_.notify_all();
}

}  // namespace qwen3guard
