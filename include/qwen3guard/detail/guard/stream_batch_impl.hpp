// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_STREAM_BATCH_IMPL_HPP
#define QWEN3GUARD_DETAIL_GUARD_STREAM_BATCH_IMPL_HPP

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "qwen3guard/detail/guard/head_stream.hpp"
#include "qwen3guard/detail/guard/step_clock.hpp"
#include "qwen3guard/detail/util/thread_team.hpp"
#include "qwen3guard/stream_batch.hpp"

namespace qwen3guard {

/// One mutex guards the queues, the events and the counters, for moments only. A session itself is used
/// without it, by whoever has set its entry's `is_busy`: a step, or a visitor.
class StreamBatch::Impl {
 public:
  using Clock = std::chrono::steady_clock;

  Impl(Guard guard, std::shared_ptr<const Guard::Impl> shared, const StreamBatchOptions& options)
      : guard_(std::move(guard)), shared_(std::move(shared)), options_(options) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() { stop(); }

  /// Something to do for a session.
  struct Op {
    enum class Kind : std::uint8_t { begin_turn, text, tokens, end_turn };
    Kind kind = Kind::text;
    Role role = Role::user;
    std::string text;
    std::vector<TokenId> ids;
    Clock::time_point pushed, deadline;
    std::size_t reserved_bytes = 0;
    std::uint64_t group = 0;  // of push_prompt(): what belongs together; 0: none
  };

  [[nodiscard]] Result<StreamId> add(StreamSession session);
  [[nodiscard]] Result<StreamId> add(const StreamOptions& options);
  [[nodiscard]] Status remove(StreamId id);
  [[nodiscard]] Status push(StreamId id, std::vector<Op> ops, double deadline_ms);
  [[nodiscard]] Status push_prompt(StreamId id, std::string_view prompt, double deadline_ms);
  [[nodiscard]] Result<std::vector<StreamEvent>> poll(StreamId id, double timeout_ms);
  [[nodiscard]] Status visit(StreamId id, const std::function<void(StreamSession&)>& visit);
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
    Entry(StreamId entry_id, StreamSession entry_session) : id(entry_id), session(std::move(entry_session)) {}

    const StreamId id;
    StreamSession session;
    bool is_busy = false;
    // Under the mutex.
    std::thread::id visitor;  // of a visit that is under way
    std::deque<Op> queue;
    std::size_t queued_bytes = 0;
    std::vector<StreamEvent> events;
    std::size_t charged_bytes = 0;  // what it holds, and what is reserved for what waits
    std::size_t held_bytes = 0, reserved_bytes = 0, event_bytes = 0;
    bool is_ready = false;
    std::set<std::pair<Clock::time_point, StreamId>>::node_type
        ready_node;  // kept while it is not in the set
    std::pair<Clock::time_point, StreamId> ready_key;
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
    std::size_t n_judged = 0;
  };

  [[nodiscard]] Entry* find(StreamId id) noexcept;
  [[nodiscard]] std::size_t reserve_for(const Op& op, const Entry& entry) const noexcept;
  void set_ready(Entry& entry);
  void unset_ready(Entry& entry) noexcept;
  void take_ops(Entry& entry);
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

  Guard guard_;
  std::shared_ptr<const Guard::Impl> shared_;
  const StreamBatchOptions options_;
  std::mutex step_mutex_;                         // one step at a time
  std::vector<detail::HeadStream::Feed*> feeds_;  // of the step
  detail::StepClock clock_;
  bool has_no_memory_ = false;  // the last step could begin nothing; with mutex_

  mutable std::mutex mutex_;
  std::condition_variable changed_;  // an entry is no longer busy, has an event, or has something to do
  std::unordered_map<StreamId, std::unique_ptr<Entry>> entries_;
  std::set<std::pair<Clock::time_point, StreamId>> ready_;
  StreamId next_id_ = 1;
  std::uint64_t next_group_ = 1;
  std::size_t used_bytes_ = 0;
  std::uint64_t n_steps_ = 0, n_tokens_ = 0, n_late_ = 0;
  std::unique_ptr<std::thread> thread_;  // given up, not destroyed, in the child of a fork()
  long thread_process_ = 0;              // where it runs, or ran when this is the child; 0: nowhere
  /// The running thread's; a thread whose number it is no more ends. A flag would be taken down by the next
  /// start() before the old thread has seen it.
  std::uint64_t thread_number_ = 0;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_DETAIL_GUARD_STREAM_BATCH_IMPL_HPP
