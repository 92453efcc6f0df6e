// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_ANSWER_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_ANSWER_HPP

#include <atomic>
#include <chrono>
#include <cstddef>
#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "qwen3guard/guard.hpp"
#include "server/doors/proxy/guard_event.hpp"
#include "server/doors/proxy/guarded_choice.hpp"
#include "server/doors/proxy/request_in.hpp"
#include "server/judging/stream_pool.hpp"

namespace qwen3guard::server {

/// A prompt and what is answered to it, judged by a StreamPool: the prompt in one session, each channel of
/// each choice in a fork of it. All functions but where it is said run on the pool's thread, in its tasks;
/// none throws.
///
/// The user's messages since the last answer are judged, each as a turn. Those in front of them are read, not
/// judged, and so are those behind them, when tools have spoken since; what tools say has no verdict of its
/// own. The answer is judged in the light of all of them.
class GuardedAnswer final : public StreamPool::Waiter {
 public:
  /// Called on the pool's thread; must not throw.
  using Emit = std::function<void(GuardEvents events)>;

  GuardedAnswer(Guard guard, GuardSetup setup, Emit emit)
      : guard_(std::move(guard)), setup_(std::move(setup)), emit_(std::move(emit)) {}

  void begin(StreamBatch& batch, const ChatMessages& asked);
  void take(StreamBatch& batch, std::vector<ChoicePiece> pieces);
  /// Drops the sessions; nothing is emitted any more.
  void close(StreamBatch& batch);
  [[nodiscard]] bool look(StreamBatch& batch) override;

  /// Text of the answer that the batch has not taken yet costs memory. Whoever sends more asks whether there
  /// is room, and when there is none, waits until something is emitted. Any thread. @{
  void add_backlog(std::size_t n_bytes) noexcept { backlog_bytes_ += n_bytes; }
  [[nodiscard]] bool has_room() noexcept;  /// @}

 private:
  using Clock = std::chrono::steady_clock;
  enum class Stage { asking, opening, answering, closed };

  [[nodiscard]] Status open_prompt(StreamBatch& batch, const ChatMessages& asked);
  [[nodiscard]] Status look_at_prompt(StreamBatch& batch, GuardEvents& events);
  [[nodiscard]] Status judge_prompt(StreamBatch& batch, const TurnVerdict& turn, GuardEvents& events);
  [[nodiscard]] Status open_answer(StreamBatch& batch);
  void advance(StreamBatch& batch, GuardEvents& events);
  void fail_prompt(Error error, GuardEvents& events);
  void tell_of_room();
  void emit(GuardEvents events);
  template <class Change>
  void guarded(StreamBatch& batch, const Change& change);

  const Guard guard_;
  const GuardSetup setup_;
  const Emit emit_;
  Stage stage_ = Stage::asking;
  StreamId prompt_ = 0;
  std::deque<std::string> prompts_;  // that are not judged yet; for the audit log, if it is kept
  std::size_t n_prompts_ = 0;        // that are not judged yet
  std::vector<Message> behind_;      // the prompt
  Clock::time_point begin_time_;
  std::map<int, GuardedChoice> choices_;
  std::size_t waiting_bytes_ = 0;  // of the choices
  std::atomic<std::size_t> backlog_bytes_{0};
  std::atomic<bool> is_room_wanted_{false};
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_ANSWER_HPP
