// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_STREAM_POLICY_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_STREAM_POLICY_HPP

#include <cstdint>

#include "qwen3guard/decision_policy.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Where a policy stands behind some token of a turn: small, so that a session keeps one per token and goes
/// back to any of them at once. Indices count the turn's tokens. A plain value.
struct PolicyState {
  static constexpr std::int32_t kNone = -1;

  Severity run_severity = Severity::not_judged;  // the worst of the run
  std::int32_t run_length = 0, run_begin = 0;
  std::int32_t calm_length = 0;  // tokens in a row that are Safe enough to take a flag back
  /// Where Unsafe, and Controversial, were first held long enough, and the first token of that run.
  std::int32_t unsafe_at = kNone, unsafe_begin = 0;
  std::int32_t controversial_at = kNone, controversial_begin = 0;
  std::int32_t judged_at = kNone;  // the last token with a verdict of its own that counts
  bool is_flagged = false;
  bool is_end_of_turn = false;   // the decision fell because the turn ended
  bool run_is_mixed = false;     // the run has both Unsafe and Controversial
  bool unsafe_is_mixed = false;  // so had the run in which Unsafe was found

  /// Takes the turn's token `index` and sets its `flagged`. O(1).
  void push(const DecisionPolicy& policy, std::int32_t index, TokenVerdict& token) noexcept;
  /// The turn ends behind the token `last`; an open run that counts decides at its own last token.
  void end_turn(const DecisionPolicy& policy, std::int32_t last) noexcept;

  /// The token that decides, and the first of its run; kNone when nothing worse than Safe was found. Unsafe
  /// wins over Controversial even when it comes later.
  [[nodiscard]] std::int32_t decided_at() const noexcept {
    return unsafe_at != kNone ? unsafe_at : controversial_at;
  }
  [[nodiscard]] std::int32_t decided_begin() const noexcept {
    return unsafe_at != kNone ? unsafe_begin : controversial_begin;
  }

 private:
  /// The next token that counts goes on with the run, or begins another one.
  void add_to_run(const DecisionPolicy& policy, std::int32_t index, Severity severity,
                  VerdictSource source) noexcept;
  /// The run decides at the token `index`; false when nothing worse than before is found.
  bool decide_at(std::int32_t index) noexcept;
};

/// Whether a decision of this severity raises the flag.
[[nodiscard]] constexpr bool raises_flag(const DecisionPolicy& policy, Severity severity) noexcept {
  return severity == Severity::unsafe || (severity == Severity::controversial && policy.mode == Mode::strict);
}

/// What of a turn's text was not judged: the bytes [begin, end).
struct Unjudged {
  bool is_any = false;
  std::int64_t begin = 0, end = 0;
};

/// The decision of a state. token, first: the verdicts of decided_at() and decided_begin(); null when no
/// token decides, or when they are gone. Safe only when nothing is unjudged and at least one token counts.
[[nodiscard]] Decision make_decision(const PolicyState& state, const TokenVerdict* token,
                                     const TokenVerdict* first, const Unjudged& unjudged);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_STREAM_POLICY_HPP
