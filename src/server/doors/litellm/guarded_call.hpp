// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDED_CALL_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDED_CALL_HPP

#include <chrono>
#include <deque>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "server/doors/litellm/guardrail_call.hpp"
#include "server/doors/litellm/judged_answer.hpp"
#include "server/judging/stream_pool.hpp"

namespace qwen3guard::server {

/// One thing that the gateway asks of a call. A plain value.
struct CallStep {
  std::shared_ptr<const ChatMessages> asked;  ///< null: nobody said what was asked
  std::vector<AnswerText> answers;            ///< empty: what was asked is judged
  /// Not begun when it is up; given up when the time is. @{
  std::shared_ptr<const CancelFlag> cancel;
  std::chrono::steady_clock::time_point deadline = std::chrono::steady_clock::time_point::max();  /// @}
};

/// A user's message that was judged.
struct JudgedPrompt {
  Decision decision;
  std::string text;
  std::int32_t n_tokens = 0;  ///< of the conversation so far
};

/// An answer as far as it was judged; for the record.
struct SaidAnswer {
  std::string text;
  Decision decision;
};

/// What came of a step; a conversation's messages up to the first that is blocked, or the answers in their
/// order.
struct CallOutcome {
  std::vector<JudgedPrompt> prompts;
  std::vector<AnswerJudgement> answers;
};

/// One call of the gateway's: the conversation in a session that the answers' sessions are forks of. Steps
/// are done one after the other. A session that is gone is made anew by the next step. All on the pool's
/// thread but for the constructor.
class GuardedCall : public StreamPool::Waiter, public std::enable_shared_from_this<GuardedCall> {
 public:
  /// Called on the pool's thread.
  using Done = std::function<void(Result<CallOutcome>)>;

  GuardedCall(StreamPool& pool, StreamOptions options, HoldBackOptions hold_back)
      : pool_(pool), options_(std::move(options)), hold_back_(hold_back) {}

  void take(CallStep step, Done done);
  [[nodiscard]] bool look(StreamBatch& batch) override;
  /// Drops the sessions; what is under way fails.
  void close(StreamBatch& batch);

 private:
  struct Waiting {
    CallStep step;
    Done done;
  };
  enum class Stage { begins, asks, opens, answers };

  [[nodiscard]] Result<bool> advance(StreamBatch& batch);
  [[nodiscard]] Result<bool> begin(StreamBatch& batch);
  [[nodiscard]] Status ask_next(StreamBatch& batch);
  [[nodiscard]] Status restore(StreamBatch& batch, const ChatMessages* asked);
  [[nodiscard]] Status add(StreamBatch& batch, std::span<const Message> past);
  [[nodiscard]] Result<bool> look_at_prompts(StreamBatch& batch);
  [[nodiscard]] Status note_prompt(StreamBatch& batch, const Decision& decision);
  [[nodiscard]] Status open_answer(StreamBatch& batch);
  [[nodiscard]] Result<bool> look_at_opening(StreamBatch& batch);
  [[nodiscard]] Result<bool> judge_answers(StreamBatch& batch);
  void match_answers(StreamBatch& batch);
  void drop(StreamBatch& batch);
  void finish(Result<CallOutcome> outcome);

  StreamPool& pool_;
  const StreamOptions options_;
  const HoldBackOptions hold_back_;
  std::deque<Waiting> steps_;  // the first is under way
  Stage stage_ = Stage::begins;
  StreamId prompt_ = 0;
  std::size_t i_next_ = 0;  // the message that is judged next
  std::list<JudgedAnswer> answers_;
  // Of the step that is under way.
  CallOutcome outcome_;
  std::vector<JudgedAnswer*> matched_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDED_CALL_HPP
