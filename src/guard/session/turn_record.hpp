// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_TURN_RECORD_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_TURN_RECORD_HPP

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "guard/conversation/thinking.hpp"
#include "guard/policy/stream_policy.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// A token of a turn and what was made of it.
struct TurnToken {
  TokenVerdict verdict;
  PolicyState state;                            // behind it
  ThinkState thinking = ThinkState::may_begin;  // behind it
};

/// What was found out about a turn's tokens as they were written. A plain value.
struct TurnRecord {
  /// The policy counts the turn's tokens from here, so that there is room for `lead` in front.
  static constexpr std::int32_t kFirstIndex = 16;

  std::vector<TurnToken> lead;    ///< of the markup in front, judged along with the turn (Thinking::judge)
  std::vector<TurnToken> tokens;  ///< of the host's text, but for the first n_slid
  std::size_t n_slid = 0;         ///< tokens at the turn's beginning that the context slid past
  TurnToken before;               ///< the last of these
  /// Tokens that the decision needs and the context has slid past, by the policy's index.
  std::vector<std::pair<std::int32_t, TokenVerdict>> landmarks;

  struct Marks {
    std::size_t n_settled = 0;             ///< of the turn's tokens, as far as `tokens` was told
    std::int64_t thinking_begin_byte = 0;  ///< of a <think> that was judged
    bool is_stopped = false;               ///< judging has stopped: the context is full
    std::int64_t judged_end_byte = 0;      ///< is_stopped: the first byte that was not judged
    std::int64_t unread_bytes = 0;         ///< is_stopped: of text, pushed since, and not looked at
  };
  Marks marks;
  Decision decision;  ///< when the turn is over

  /// Tokens so far, those slid past among them.
  [[nodiscard]] std::size_t n_tokens() const noexcept { return n_slid + tokens.size(); }
  /// The token that the next one follows.
  [[nodiscard]] const TurnToken& last() const noexcept {
    // Nothing is slid past: `before` is the state of a turn without tokens.
    return !tokens.empty() ? tokens.back() : n_slid > 0 || lead.empty() ? before : lead.back();
  }
  [[nodiscard]] static std::int32_t index(std::size_t token) noexcept {
    return kFirstIndex + static_cast<std::int32_t>(token);
  }
  /// The token that the policy knows by `index`; null when it is gone.
  [[nodiscard]] const TokenVerdict* verdict(std::int32_t index) const noexcept;
  /// Forgets the first n of `tokens`, but for what the decision needs.
  void slide(std::size_t n);
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return sizeof *this + (lead.capacity() + tokens.capacity()) * sizeof(TurnToken);
  }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_TURN_RECORD_HPP
