// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_LIVE_STREAM_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_LIVE_STREAM_HPP

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "qwen3guard/stream_batch.hpp"
#include "server/judging/stream_pool.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::server {

/// What a client does to a stream; done in this order. A plain value.
struct StreamStep {
  std::vector<Message> history;       ///< of the first step: what was said before
  std::optional<std::string> prompt;  ///< of the first step: the user's message, judged whole
  std::optional<std::int64_t> rewind_to_byte;
  std::optional<Role> role;  ///< whose turn it is to be; empty: the open one's, else the assistant's
  std::optional<std::string> text;
  bool ends_turn = false;
  /// Not begun when it is up, or later than that. @{
  std::shared_ptr<const CancelFlag> cancel;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();  /// @}
};

/// What came of it. A plain value.
struct StreamOutcome {
  std::string json;         ///< the members of the reply, without braces
  std::string prompt_json;  ///< of a user's turn that has ended: the verdict on it, an object
  Role role = Role::assistant;
  Decision decision;  ///< of the turn
  std::string text;   ///< of the turn, where it has ended
  bool has_ended = false;
};

/// One session of /v1/stream. Steps are done one after the other. All on the pool's thread but for the
/// constructor.
class LiveStream : public StreamPool::Waiter, public std::enable_shared_from_this<LiveStream> {
 public:
  /// Called on the pool's thread.
  using Done = std::function<void(Result<StreamOutcome>)>;

  LiveStream(StreamPool& pool, StreamOptions options) : pool_(pool), options_(std::move(options)) {}

  /// Adds the session to the batch. Errors: as StreamBatch::add().
  [[nodiscard]] Status open(StreamBatch& batch);
  void take(StreamBatch& batch, StreamStep step, Done done);
  [[nodiscard]] bool look(StreamBatch& batch) override;
  /// What the turn that is open came to so far, with its text; of one that has ended the decision alone. The
  /// session is gone behind it, and steps that wait fail.
  StreamOutcome close(StreamBatch& batch);

 private:
  struct Waiting {
    StreamStep step;
    Done done;
  };

  void begin(StreamBatch& batch);
  void begin_next(StreamBatch& batch);
  [[nodiscard]] bool is_late() const;
  [[nodiscard]] Status push(StreamBatch& batch, const StreamStep& step);
  [[nodiscard]] Status restore(StreamBatch& batch, const StreamStep& step);
  [[nodiscard]] Status rewind(StreamBatch& batch, std::int64_t byte);
  void note(const StreamEvent& event);
  void merge(const StreamUpdate& update);
  void finish(StreamBatch& batch);
  void look_where_it_stands(StreamBatch& batch);
  [[nodiscard]] Status open_turn(StreamBatch& batch, const StreamStep& step);
  [[nodiscard]] std::string outcome_json(const Decision& decision) const;
  [[nodiscard]] std::string prompt_json() const;
  void put_tokens(wire::JsonOut& json) const;

  StreamPool& pool_;
  StreamOptions options_;
  StreamId id_ = 0;
  bool is_open_ = false;
  std::deque<Waiting> steps_;  // the first is under way
  bool is_under_way_ = false;

  Role role_ = Role::user;  // of the last turn
  bool has_turn_ = false;   // it is open
  std::int64_t n_turns_ = 0;
  std::string text_;  // of it
  std::size_t n_verdicts_ = 0, n_settled_ = 0;

  // Of the step that is under way.
  std::size_t first_ = 0;
  std::vector<TokenVerdict> tokens_;
  std::optional<TurnVerdict> ended_;
  Status status_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_LIVE_STREAM_HPP
