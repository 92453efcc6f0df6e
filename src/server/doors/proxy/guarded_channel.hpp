// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_CHANNEL_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_CHANNEL_HPP

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "qwen3guard/hold_back.hpp"
#include "qwen3guard/options.hpp"

namespace qwen3guard::server {

/// How an answer is guarded. A plain value.
struct GuardSetup {
  StreamOptions stream;
  HoldBackOptions hold_back;
  std::chrono::milliseconds time_limit{30'000};  ///< without a verdict, while one is waited for
  bool keeps_text = false;                       ///< for the audit log
  bool is_monitor = false;                       ///< an answer to a blocked prompt is judged, too
  /// What was not judged is blocked (the policy's rule), rather than an error.
  bool blocks_unjudged = false;
};

/// One channel's text in a session of its own, which has the prompt's past. Pool's thread.
class GuardedChannel {
 public:
  enum class State {
    waits,     ///< for more text, or for verdicts
    ended,     ///< all of it was judged and came out; may go on with the next step()
    blocked,   ///< nothing more comes out
    unjudged,  ///< nothing more comes out: Step::error
  };
  struct Step {
    State state = State::waits;
    std::string text;  ///< came out, whatever the state
    Error error;
  };

  explicit GuardedChannel(const GuardSetup& setup) : setup_(setup) {}

  /// Takes from `text` what the batch has room for; ends: nothing comes behind it for now. prompt: the
  /// session to begin from. Call it again as long as it waits and something may have come.
  [[nodiscard]] Step step(StreamBatch& batch, StreamId prompt, std::string& text, bool ends);
  /// Drops the session. Nothing may be called any more but the accessors.
  void close(StreamBatch& batch);

  /// It has ended, or is blocked.
  [[nodiscard]] bool is_judged() const noexcept { return is_judged_; }
  [[nodiscard]] bool is_blocked() const noexcept { return is_blocked_; }
  /// What was found: of the block, or when it ended last.
  [[nodiscard]] const Decision& decision() const noexcept { return decision_; }
  /// What was put, if it is kept.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }

 private:
  using Clock = std::chrono::steady_clock;

  [[nodiscard]] Status open(StreamBatch& batch, StreamId prompt);
  [[nodiscard]] Status put(StreamBatch& batch, std::string& text, bool ends);
  [[nodiscard]] Status check_time(StreamBatch& batch, bool has_more);

  const GuardSetup& setup_;
  StreamId id_ = 0;
  std::optional<HoldBack> hold_back_;  // of the turn that is open
  bool is_finishing_ = false, is_judged_ = false, is_blocked_ = false;
  Decision decision_;
  std::string text_;
  std::int64_t put_bytes_ = 0, judged_bytes_ = 0;
  Clock::time_point progress_time_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_GUARDED_CHANNEL_HPP
