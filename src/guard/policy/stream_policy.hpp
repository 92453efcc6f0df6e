// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_STREAM_POLICY_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_STREAM_POLICY_HPP

#include <array>
#include <cstdint>

#include "guard/policy/run_track.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/policy.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Where a policy stands behind some token of a turn: small, so that a session keeps one per token and goes
/// back to any of them at once. Indices count the turn's tokens. A plain value.
struct PolicyState {
  static constexpr std::int32_t kNone = RunTrack::kNone;

  RunTrack severity;                // runs of what the model says: low is Controversial, high is Unsafe
  RunTrack action;                  // runs of what the policy makes of it: low is flag, high is block
  std::int32_t calm_length = 0;     // tokens in a row that take an action back
  std::int32_t judged_at = kNone;   // the last token with a verdict of its own that counts
  Action in_force = Action::allow;  // the strictest so far that was not released

  /// Takes the turn's token `index` and sets its `action`. O(1).
  void push(const PolicyRules& rules, Role role, std::int32_t index, TokenVerdict& token) noexcept;
  /// The turn ends behind the token `last`; an open run that counts decides at its own last token.
  void end_turn(const PolicyRules& rules, std::int32_t last) noexcept;

  /// Indices of the tokens that a decision needs to know; kNone where there is none.
  [[nodiscard]] std::array<std::int32_t, 5> deciding_tokens() const noexcept;
  /// All that this state or a later one may need, in any order, with repetitions.
  [[nodiscard]] std::array<std::int32_t, 17> known_tokens() const noexcept;
};

/// What of a turn's text was not judged: the bytes [begin, end).
struct UnjudgedText {
  bool is_any = false;
  std::int64_t begin = 0, end = 0;
};

/// The verdicts of PolicyState::deciding_tokens(); null where there is none, or where it is gone.
struct DecidingTokens {
  const TokenVerdict *severity_at = nullptr, *severity_begin = nullptr;
  const TokenVerdict *action_at = nullptr, *action_begin = nullptr, *action_best = nullptr;
};

/// find(index): the verdict of a token, or null.
template <class Find>
[[nodiscard]] DecidingTokens deciding_tokens(const PolicyState& state, const Find& find) {
  const auto indices = state.deciding_tokens();
  const auto at = [&](std::size_t i) -> const TokenVerdict* {
    return indices[i] == PolicyState::kNone ? nullptr : find(indices[i]);
  };
  return {at(0), at(1), at(2), at(3), at(4)};
}

/// The decision of a state, on a turn of this role. Safe and allowed only when nothing is unjudged and at
/// least one token counts. Throws std::bad_alloc.
[[nodiscard]] Decision make_decision(const Policy& policy, Role role, const PolicyState& state,
                                     const DecidingTokens& tokens, const UnjudgedText& unjudged,
                                     bool has_ended);

/// The decision on a user's turn, by the one verdict on it, whose `action` is set. Throws std::bad_alloc.
[[nodiscard]] Decision decide_prompt(const Policy& policy, TokenVerdict& prompt,
                                     const UnjudgedText& unjudged);

/// The decision on a turn of which nothing was judged yet. Throws std::bad_alloc.
[[nodiscard]] Decision undecided(const Policy& policy);

/// The decision on a turn that is over and of which nothing was judged. Throws std::bad_alloc.
[[nodiscard]] Decision decide_unread(const Policy& policy, std::int64_t n_bytes);

/// Part of the turn's text was not judged after all: what says Safe or allow no longer does.
void make_incomplete(const Policy& policy, Decision& decision, bool has_ended);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_STREAM_POLICY_HPP
