// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_BATCH_STREAM_BATCH_IMPL_HPP
#define QWEN3GUARD_SRC_GUARD_BATCH_STREAM_BATCH_IMPL_HPP

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "guard/batch/step_planner.hpp"
#include "guard/batch/time_source.hpp"
#include "guard/session/head_stream.hpp"
#include "qwen3guard/stream_batch.hpp"
#include "util/mutex.hpp"
#include "util/own_thread.hpp"
#include "util/process_id.hpp"

namespace qwen3guard {

/// One mutex guards the queues, the events and the counters, for moments only. A session itself is used
/// without it, by whoever has set its entry's `is_busy`: a step, or a visitor.
class StreamBatch::Impl {
 public:
  using TimePoint = detail::TimeSource::TimePoint;

  Impl(Guard guard, std::shared_ptr<const Guard::Impl> shared, const StreamBatchOptions& options,
       std::shared_ptr<detail::TimeSource> time)
      : guard_(std::move(guard)), shared_(std::move(shared)), options_(options), time_(std::move(time)) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  /// StreamBatch::open(), with another time.
  [[nodiscard]] static Result<StreamBatch> open(const Guard& guard, const StreamBatchOptions& options,
                                                std::shared_ptr<detail::TimeSource> time);

  /// When something was pushed, and by when its verdict is due.
  struct Times {
    static constexpr TimePoint kNever = TimePoint::max();
    TimePoint pushed, deadline = kNever;
    /// The earliest deadline of this and of what waits behind it, and the time when that was pushed.
    TimePoint urgent_deadline = kNever, urgent_pushed;
    /// When there is an event to be sent unless the verdict has come: a deadline. Of several pieces that were
    /// joined, the last one's is the last.
    TimePoint overdue = kNever, last_deadline = kNever;

    /// What waits behind this is due sooner.
    [[nodiscard]] bool hurry(const Times& behind) noexcept {
      if (behind.urgent_deadline >= urgent_deadline) return false;
      urgent_deadline = behind.urgent_deadline;
      urgent_pushed = behind.urgent_pushed;
      return true;
    }
    /// Another piece of text is judged together with this one.
    void join(const Times& piece) noexcept {
      static_cast<void>(hurry(piece));
      deadline = std::min(deadline, piece.deadline);
      overdue = std::min(overdue, piece.deadline);
      last_deadline = std::max(last_deadline, piece.deadline);
    }
  };

  /// Something to do for a session.
  struct Op {
    enum class Kind : std::uint8_t { begin_turn, text, tokens, end_turn };
    Kind kind = Kind::text;
    Role role = Role::user;
    std::string text;
    std::vector<TokenId> ids;
    Times times;
    std::size_t reserved_bytes = 0;
    std::uint64_t group = 0;  // of push_prompt(): what belongs together; 0: none

    [[nodiscard]] bool is_judged() const noexcept { return kind != Kind::begin_turn; }
    /// There will be an event of it, even if all goes well.
    [[nodiscard]] bool has_verdict() const noexcept {
      return is_judged() && (group == 0 || kind == Kind::end_turn);
    }
  };

  [[nodiscard]] Result<StreamId> add(StreamSession&& session);
  [[nodiscard]] Result<StreamId> add(const StreamOptions& options);
  [[nodiscard]] Status remove(StreamId id);
  [[nodiscard]] Status push(StreamId id, std::vector<Op> ops, double deadline_ms);
  [[nodiscard]] Status push_prompt(StreamId id, std::string_view prompt, double deadline_ms);
  [[nodiscard]] Result<std::vector<StreamEvent>> poll(StreamId id, double timeout_ms);
  [[nodiscard]] Result<bool> is_waiting(StreamId id) const;
  /// visit() returns true where what waits of the text and the end of the last turn is dropped, without a
  /// verdict.
  [[nodiscard]] Status visit(StreamId id, const std::function<bool(StreamSession&)>& visit);
  struct Waiting {
    std::size_t n_begins = 0;  ///< turns that are not begun yet
    Role role = Role::user;    ///< of the last one of these
    bool has_more = false;     ///< text or an end of it, or where there is none, of the session's last turn
    /// Ends of turns in front of it that nobody has heard of yet, and errors until now.
    std::size_t n_ends = 0, n_errors = 0;
  };
  /// What waits of a session that is visited.
  [[nodiscard]] Waiting waiting(StreamId id) const;
  /// What stands behind a session that is visited.
  [[nodiscard]] static StreamSession::Impl& impl_of(StreamSession& session) noexcept {
    return *session.impl_;
  }
  std::size_t step(double budget_ms, bool must_run);
  [[nodiscard]] Status start();
  void stop() noexcept;
  /// The batch was started by the parent of this process.
  [[nodiscard]] bool is_thread_elsewhere() const noexcept {
    return thread_process_ != 0 && thread_process_ != detail::process_id();
  }
  [[nodiscard]] StreamBatchStats stats() const;

 private:
  struct Entry {
    /// When it throws, the session has not moved.
    Entry(StreamId entry_id, StreamSession&& entry_session)
        : id(entry_id), session(std::move(entry_session)) {}

    const StreamId id;
    bool is_busy = false;
    // Under the mutex.
    detail::ThreadId visitor{};  // of a visit that is under way
    std::size_t n_claims = 0;    // visitors that wait: nobody else is to make it busy before them
    std::deque<Op> queue;
    std::optional<Times> current;   // of the operation that was taken from the queue and has no verdict yet
    TimePoint due;                  // its place among those that are ready
    std::size_t n_served_rows = 0;  // since it came to its place
    std::size_t queued_bytes = 0;
    std::vector<StreamEvent> events;
    std::size_t charged_bytes = 0;  // what it holds, and what is reserved for what waits
    std::size_t held_bytes = 0, reserved_bytes = 0, event_bytes = 0;
    std::set<std::pair<TimePoint, StreamId>>::node_type ready_node;  // kept while it is not in the set
    bool is_ready = false;
    bool is_leaving = false;       // in remove()
    bool has_lost_events = false;  // for lack of memory
    // With is_busy.
    std::vector<Op> ops;  // taken from the queue; the last one is what the feed does
    std::optional<detail::HeadStream::Feed> feed;
    std::size_t session_bytes = 0;  // what it holds now
    std::size_t done_bytes = 0;     // reserved for what is done
    std::vector<StreamEvent> new_events;
    bool has_lost_new_events = false;
    std::uint64_t failed_group = 0;
    StreamMark group_begin;
    std::optional<std::int64_t> gap_byte;  // where text of the turn is missing that failed
    std::size_t n_judged = 0;
    std::size_t n_left = 0;      // rows before the forward
    std::size_t n_new_rows = 0;  // in it
    StreamSession session;       // the last member: nothing fails after it has moved
  };

  [[nodiscard]] Entry* find(StreamId id) noexcept;
  [[nodiscard]] std::size_t count_tokens(const Op& op) const;
  [[nodiscard]] static std::size_t count_caches(Entry& entry) noexcept;
  [[nodiscard]] std::size_t bytes_per_token() const noexcept;
  [[nodiscard]] std::size_t reserve_for_pages(Entry& entry) const noexcept;
  [[nodiscard]] std::size_t reserve_for(std::size_t n_tokens, std::size_t n_text_bytes,
                                        Entry& entry) const noexcept;
  [[nodiscard]] static bool is_waiting(const Entry& entry) noexcept {
    return entry.current || !entry.queue.empty();
  }
  /// What is first in line of an entry that waits.
  [[nodiscard]] static const Times& first_of(const Entry& entry) noexcept {
    return entry.current ? *entry.current : entry.queue.front().times;
  }
  [[nodiscard]] static bool is_overdue(const Entry& entry, TimePoint now) noexcept {
    return is_waiting(entry) && first_of(entry).urgent_deadline <= now;
  }
  [[nodiscard]] static const Times* oldest_of(const Entry& entry) noexcept;
  void queue_ops(Entry& entry, std::vector<Op>& ops);
  static void drop_last_turn(Entry& entry) noexcept;
  void hurry(Entry& entry, std::size_t n, const Times& times);
  void move_on(Entry& entry) noexcept;
  void announce(Entry& entry);
  [[nodiscard]] static TimePoint next_announcement(const Entry& entry) noexcept;
  [[nodiscard]] std::vector<StreamEvent> take_events(Entry& entry);
  void set_ready(Entry& entry);
  void unset_ready(Entry& entry) noexcept;
  void take_ops(Entry& entry) noexcept;
  void settle_account(Entry& entry) noexcept;
  void join_events(Entry& entry);
  void release(Entry& entry) noexcept;

  // With is_busy, without the mutex.
  void plan(Entry& entry);
  void plan_op(Entry& entry, Op& op);
  void fail(Entry& entry, const Op& op, Status status);
  void finish(Entry& entry);
  void add_event(Entry& entry, const Op& op, StreamEvent event);
  [[nodiscard]] std::vector<Entry*> pick(std::size_t n_rows);
  std::size_t run(std::vector<Entry*>& picked, std::size_t n_rows);
  void run_once();
  /// Of what is first in line; empty when nothing is.
  [[nodiscard]] std::optional<bool> is_first_overdue();

  Guard guard_;
  std::shared_ptr<const Guard::Impl> shared_;
  const StreamBatchOptions options_;
  const std::shared_ptr<detail::TimeSource> time_;
  detail::Mutex step_mutex_;                      // one step at a time
  std::vector<detail::HeadStream::Feed*> feeds_;  // of the step
  detail::StepPlanner planner_;
  bool has_no_memory_ = false;  // the last step could begin nothing; with mutex_

  mutable detail::Mutex mutex_;
  detail::ConditionVariable changed_;  // an entry is no longer busy, has an event, or has something to do
  std::unordered_map<StreamId, std::unique_ptr<Entry>> entries_;
  std::set<std::pair<TimePoint, StreamId>> ready_;
  StreamId next_id_ = 1;
  std::uint64_t next_group_ = 1;
  std::size_t used_bytes_ = 0;
  std::uint64_t n_steps_ = 0, n_tokens_ = 0, n_late_ = 0;
  std::unique_ptr<detail::OwnThread> thread_;  // given up, not destroyed, in the child of a fork()
  long thread_process_ = 0;                    // where it runs, or ran when this is the child; 0: nowhere
  /// The running thread's; a thread whose number it is no more ends. A flag would be taken down by the next
  /// start() before the old thread has seen it.
  std::uint64_t thread_number_ = 0;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_SRC_GUARD_BATCH_STREAM_BATCH_IMPL_HPP
