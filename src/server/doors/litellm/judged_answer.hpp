// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_JUDGED_ANSWER_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_JUDGED_ANSWER_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "qwen3guard/hold_back.hpp"

namespace qwen3guard::server {

/// What an answer came to that was sent so far.
struct AnswerJudgement {
  enum class Kind {
    not_judged,
    passed,   ///< all of it may be shown if this is its end; n_free_bytes of it whatever follows
    pending,  ///< as its end it would be blocked, but text to come may still make it good
    blocked,  ///< for good
  };
  Kind kind = Kind::not_judged;
  Decision decision;             ///< as if this were its end
  std::size_t n_free_bytes = 0;  ///< in whole characters
  bool is_repeat = false;        ///< the text is that of the last time; from GuardedCall: so are all
};

/// One text that comes again and again, longer each time, and may end each time: nobody says when. Only what
/// is new is judged behind what was, in one turn; its end is judged in a fork, which is dropped. Pool's
/// thread.
class JudgedAnswer {
 public:
  explicit JudgedAnswer(const HoldBackOptions& options) : options_(options) {}

  /// The text goes on where the last one ended, or is the same.
  [[nodiscard]] bool is_extended_by(std::string_view text) const noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return text_.size(); }

  /// A text to judge; the one before it is done, and is extended by it.
  void begin(const std::string& text);
  /// Goes on with it: true when it is judged, and judgement() says how. prompt: the session to begin from.
  /// Errors: nothing more can be judged here.
  [[nodiscard]] Result<bool> step(StreamBatch& batch, StreamId prompt);
  [[nodiscard]] const AnswerJudgement& judgement() const noexcept { return judgement_; }
  /// Drops the sessions; nothing may be called any more but the accessors.
  void close(StreamBatch& batch);

 private:
  [[nodiscard]] Status open(StreamBatch& batch, StreamId prompt);
  [[nodiscard]] Result<bool> put(StreamBatch& batch);
  [[nodiscard]] Status look();
  [[nodiscard]] Result<bool> end(StreamBatch& batch);
  void close_end(StreamBatch& batch);

  const HoldBackOptions options_;
  std::string text_;
  std::size_t n_skipped_ = 0;            // line breaks in front, which the template strips
  std::size_t n_put_ = 0, n_shown_ = 0;  // behind these
  StreamId id_ = 0, end_ = 0;
  std::optional<HoldBack> hold_back_;
  bool is_judging_ = false, was_judged_ = false, is_looked_at_ = false;
  AnswerJudgement judgement_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_JUDGED_ANSWER_HPP
