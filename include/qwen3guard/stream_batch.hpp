// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_STREAM_BATCH_HPP
#define QWEN3GUARD_STREAM_BATCH_HPP

/// @file
/// Many live conversations over one model.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/guard.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/stream_session.hpp"

namespace qwen3guard {

/// Names one session of a StreamBatch; never given twice. 0 names none.
using StreamId = std::uint64_t;

/// Bounds of a batch. All are checked when it is opened.
struct StreamBatchOptions {
  /// Bytes that all sessions may hold together: pages of keys and values, text, verdicts, and what waits. 0:
  /// no bound. What does not fit is refused when it is pushed; what was accepted is judged.
  std::size_t memory_budget_bytes = 0;
  /// Text and tokens of one session that may wait, in bytes (a token counts as 4).
  std::size_t max_waiting_bytes = std::size_t{256} << 10;
  /// Rows of one forward: more are more efficient, fewer let the first be ready sooner. 1 to 4096.
  std::int32_t max_step_tokens = 256;
  /// Of one session in a forward, so that a long text holds nobody up. 1 to max_step_tokens.
  std::int32_t max_session_tokens = 64;
  /// How soon after a push its verdict is due when the push does not say. At least 0.
  double default_deadline_ms = 100;
};

/// What became of something that was pushed. A plain value.
struct StreamEvent {
  /// What happened.
  enum class Kind : std::int32_t {
    update = 0,    ///< tokens were judged; updates that nobody has taken yet are joined
    turn_end = 1,  ///< a turn ended
    /// A push failed and left the session as it was; those behind it go on. Until the next turn begins, or
    /// visit() goes back in this one, nothing is Safe: the turn lacks what failed.
    error = 2,
    /// The deadline of a push has passed and nothing is known of it: it still waits, and its verdict comes as
    /// an event of its own. Sent once for a push; pieces of text that wait together may share one.
    overdue = 3,
  };
  Kind kind = Kind::update;  ///< says which of the fields below mean something
  StreamUpdate update;       ///< Kind::update; of a turn_end: what was judged last
  TurnVerdict turn;          ///< Kind::turn_end
  /// Of the turn, behind the update. Never complete for Kind::error, not judged for overdue.
  Decision decision;
  Status status;         ///< Kind::error
  double waited_ms = 0;  ///< from the (oldest joined) push to the verdict; of overdue: until now
  bool is_late = false;  ///< later than its deadline
};

/// Counters since the batch was opened, and its state now. A plain value.
struct StreamBatchStats {
  /// Sessions there are now, and those of them with something to judge. @{
  std::size_t n_sessions = 0, n_waiting_sessions = 0;  /// @}
  std::size_t memory_bytes = 0;                        ///< held and reserved; what the budget bounds
  /// Forwards run, tokens judged, and verdicts later than their deadline. @{
  std::uint64_t n_steps = 0, n_tokens = 0, n_late = 0;  /// @}
  std::size_t n_overdue_sessions = 0;  ///< sessions with something that waits past its deadline
  double oldest_waiting_ms = 0;        ///< since the oldest push without a verdict; 0: nothing waits
};

/// Many live sessions over one guard, in common matrix products. Threads push text and take verdicts without
/// waiting for the model; step(), called by the host when it suits it or by a thread that start() makes,
/// judges what waits: the earliest deadlines first, at most max_session_tokens of a session at a time. A
/// session that is late goes behind those that waited as long once it had its share, so that nobody waits for
/// ever. An idle session costs what it holds.
///
/// Silence is no verdict. What waits past its deadline is an event (StreamEvent::Kind::overdue) and a figure
/// (StreamBatchStats); what a batch drops with a session or when it is destroyed was not judged.
///
/// Verdicts are those of a StreamSession of its own, up to rounding (docs/numerics.md).
/// Move-only. Thread-safety: all functions on any number of threads at once, except moving and destruction.
class StreamBatch {
 public:
  /// A batch over `guard`, whose model it shares. Errors: invalid_argument (an option out of range);
  /// out_of_memory.
  [[nodiscard]] static Result<StreamBatch> open(const Guard& guard, const StreamBatchOptions& options = {});

  /// What was moved from may only be assigned to or destroyed. @{
  StreamBatch(StreamBatch&&) noexcept;
  StreamBatch& operator=(StreamBatch&&) noexcept;  /// @}
  StreamBatch(const StreamBatch&) = delete;
  StreamBatch& operator=(const StreamBatch&) = delete;
  /// Stops the thread; what waits is dropped without a verdict. No other call may run or wait.
  ~StreamBatch();

  /// A new session. Errors: as Guard::open_stream(); budget_exceeded.
  [[nodiscard]] Result<StreamId> add(const StreamOptions& options = {});
  /// Takes a session in, with its past; on error it stays the caller's. Errors: invalid_argument (another
  /// guard's); budget_exceeded.
  [[nodiscard]] Result<StreamId> add(StreamSession&& session);
  /// Drops a session, and what waits for it without a verdict; waits for a forward that it is in. Whoever
  /// waits for the session gets invalid_argument. Errors: invalid_argument.
  [[nodiscard]] Status remove(StreamId id);

  /// Queue what the functions of StreamSession of that name do, in order; push_prompt() also opens the
  /// assistant's turn. The bytes and ids are copied. deadline_ms: from now on; below 0: the default. Errors:
  /// invalid_argument (no such session; a tool's turn); context_full (the session
  /// could not be held even if it were the only one); budget_exceeded (try again when others have been judged
  /// or removed). On error nothing was queued. What is wrong with the text itself comes as an event. @{
  [[nodiscard]] Status push_prompt(StreamId id, std::string_view prompt, double deadline_ms = -1);
  [[nodiscard]] Status begin_turn(StreamId id, Role role);
  [[nodiscard]] Status push_text(StreamId id, std::string_view bytes, double deadline_ms = -1);
  [[nodiscard]] Status push_tokens(StreamId id, std::span<const TokenId> ids, double deadline_ms = -1);
  [[nodiscard]] Status end_turn(StreamId id, double deadline_ms = -1);
  /// @}

  /// Takes the events that have come for a session. None says nothing of what waits but that its deadline has
  /// not passed yet, or was reported before. Errors: invalid_argument.
  [[nodiscard]] Result<std::vector<StreamEvent>> poll(StreamId id);
  /// As poll(), but waits until there is an event (Kind::overdue at the latest, whether or not anybody steps)
  /// or nothing is left to wait for, at most timeout_ms.
  [[nodiscard]] Result<std::vector<StreamEvent>> wait(StreamId id, double timeout_ms);

  /// True while something that was pushed has no verdict yet. What poll() returns after it was false is all
  /// that there is of what was pushed before. Errors: invalid_argument.
  [[nodiscard]] Result<bool> is_waiting(StreamId id) const;

  /// Runs visit(session) on this thread while nobody else uses the session: to mark, rewind, fork or read it.
  /// Waits for a forward that it is in; what is queued stays queued. Within it other calls on the batch are
  /// fine, but for remove() and visit() of the same session (invalid_argument); wait() does not wait for it.
  /// Errors: invalid_argument.
  [[nodiscard]] Status visit(StreamId id, const std::function<void(StreamSession&)>& visit);

  /// Judges what waits until nothing does or the time is up; a forward is begun only when it is expected to
  /// end in time. When none is, what waits does not wait for ever: at least one, as short as it can be, is
  /// run in any case when `must_run`; without it, when the next in line is past its deadline (then again
  /// after as much time as it took, at most 1 s), and when eight times its expected time was refused. Without
  /// must_run it returns at once while another thread steps. Returns the tokens judged. Errors: none of its
  /// own; what fails is an event of its session, what there is no memory for waits on.
  std::size_t step(double budget_ms = 1e9, bool must_run = true);

  /// Starts a thread that steps whenever something waits, until stop() or destruction. Errors:
  /// invalid_argument (it is running already, or the library was built with Q3G_PARALLEL=none);
  /// out_of_memory (the system refuses a thread).
  [[nodiscard]] Status start();
  /// Ends that thread, after the forward it is in; what waits stays, and is judged by step() or when a thread
  /// is started again. Without a thread it does nothing.
  void stop() noexcept;

  /// The counters now.
  [[nodiscard]] StreamBatchStats stats() const;

  class Impl;  ///< internal

 private:
  friend class HoldBack;
  explicit StreamBatch(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_STREAM_BATCH_HPP
