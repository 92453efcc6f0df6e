// SPDX-License-Identifier: Apache-2.0
// What waits: its order, its deadlines, and the events that say that it waits too long.
#include <algorithm>
#include <chrono>
#include <utility>

#include "guard/batch/stream_batch_impl.hpp"
#include "util/rollback.hpp"

namespace qwen3guard {

void StreamBatch::Impl::queue_ops(Entry& entry, std::vector<Op>& ops) {
  if (!is_waiting(entry)) entry.due = Times::kNever;
  const std::size_t n_before = entry.queue.size();
  detail::Rollback queued([&] { entry.queue.resize(n_before); });
  for (Op& op : ops) entry.queue.push_back(std::move(op));
  set_ready(entry);
  queued.keep();
}

/// What waits of the text and the end of the turn that was begun last is never judged.
void StreamBatch::Impl::drop_last_turn(Entry& entry) noexcept {
  while (!entry.queue.empty() && entry.queue.back().is_judged() && entry.queue.back().group == 0) {
    const Op& op = entry.queue.back();
    entry.queued_bytes -= op.text.size() + op.ids.size() * sizeof(TokenId);
    entry.reserved_bytes -= std::min(entry.reserved_bytes, op.reserved_bytes);
    entry.queue.pop_back();
  }
}

StreamBatch::Impl::Waiting StreamBatch::Impl::waiting(StreamId id) const {
  const std::lock_guard lock(mutex_);
  const Entry& entry = *entries_.find(id)->second;
  Waiting out;
  const auto count = [&](const std::vector<StreamEvent>& events) {
    for (const StreamEvent& event : events) out.n_ends += event.kind == StreamEvent::Kind::turn_end ? 1 : 0;
  };
  for (const StreamEvent& event : entry.events)
    out.n_errors += event.kind == StreamEvent::Kind::error ? 1 : 0;
  count(entry.events);
  count(entry.new_events);
  std::size_t n_ends = 0;  // of the turn that is open, or was begun last
  for (const Op& op : entry.queue) {
    if (op.is_judged()) {
      n_ends += op.kind == Op::Kind::end_turn ? 1 : 0;
      out.has_more = true;
      continue;
    }
    ++out.n_begins;
    out.n_ends += std::exchange(n_ends, 0);
    out.role = op.role;
    out.has_more = false;
  }
  return out;
}

/// Something that was pushed behind the first n operations of the queue waits for them, so that they are as
/// urgent as it is.
void StreamBatch::Impl::hurry(Entry& entry, std::size_t n, const Times& times) {
  // Nothing is less urgent than what is behind it: the first one that is urgent enough is the last to look
  // at.
  bool is_more_urgent = true;
  while (n > 0 && is_more_urgent) is_more_urgent = entry.queue[--n].times.hurry(times);
  if (is_more_urgent && entry.current) static_cast<void>(entry.current->hurry(times));
  if (times.urgent_deadline >= entry.due) return;
  const bool was_ready = entry.is_ready;
  unset_ready(entry);
  entry.due = times.urgent_deadline;
  if (was_ready) set_ready(entry);
}

/// The place of what is left of an entry that was in a forward: by its deadline. When that has passed, it
/// keeps the place that it has until max_session_tokens of it were judged, and then goes behind, as if it
/// were pushed now. So where there is no time for everything, short texts are judged one after the other, and
/// long ones do not keep them waiting.
void StreamBatch::Impl::move_on(Entry& entry) noexcept {
  const bool is_over = entry.n_served_rows >= static_cast<std::size_t>(options_.max_session_tokens);
  if (is_over || !is_waiting(entry)) entry.n_served_rows = 0;
  if (!is_waiting(entry)) return;
  const Times& first = first_of(entry);
  const TimePoint now = time_->now();
  if (first.urgent_deadline > now)
    entry.due = first.urgent_deadline;
  else if (is_over)
    entry.due = now + (first.urgent_deadline - first.urgent_pushed);
}

const StreamBatch::Impl::Times* StreamBatch::Impl::oldest_of(const Entry& entry) noexcept {
  // The opening of a turn has no text.
  if (entry.current && entry.current->deadline != Times::kNever) return &*entry.current;
  for (const Op& op : entry.queue) {
    if (op.is_judged()) return &op.times;
  }
  return nullptr;
}

/// Sends what is to be said by now of deadlines that have passed.
void StreamBatch::Impl::announce(Entry& entry) {
  const TimePoint now = time_->now();
  const auto look = [&](Times& times) {
    if (times.overdue > now) return;
    StreamEvent event;
    event.kind = StreamEvent::Kind::overdue;
    event.waited_ms = std::chrono::duration<double, std::milli>(now - times.pushed).count();
    event.is_late = true;
    entry.events.push_back(std::move(event));
    times.overdue = times.last_deadline > now ? times.last_deadline : Times::kNever;
  };
  if (entry.current) look(*entry.current);
  for (Op& op : entry.queue) look(op.times);
}

StreamBatch::Impl::TimePoint StreamBatch::Impl::next_announcement(const Entry& entry) noexcept {
  TimePoint next = entry.current ? entry.current->overdue : Times::kNever;
  for (const Op& op : entry.queue) next = std::min(next, op.times.overdue);
  return next;
}

}  // namespace qwen3guard
