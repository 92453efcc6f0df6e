// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_TURN_RECORD_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_TURN_RECORD_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "guard/conversation/thinking.hpp"
#include "guard/lists/list_track.hpp"
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

  /// Of a turn that a Gen checkpoint judges. Tokens count from the turn's beginning.
  struct Written {
    std::shared_ptr<const Verdict> verdict;  ///< the last one on the turn
    std::size_t n_bytes = 0;                 ///< that it was about
    std::size_t n_judged = 0;           ///< so many tokens, a multiple of the interval, have theirs if due
    std::size_t n_tokens = 0;           ///< of the turn, those of a restored one too
    std::size_t begin_position = 0;     ///< tokens of the conversation before it
    std::size_t interval_tokens = 0;    ///< ContextPolicy::slide; 0: not known yet
    std::size_t answer_begin_byte = 0;  ///< Thinking::skip: behind the thinking
    /// ContextPolicy::slide: turns that are not read for its verdicts, and bytes of its text's beginning.
    std::size_t skip_turns = 0, skip_bytes = 0;

    /// Where the text that a verdict is about begins.
    [[nodiscard]] std::size_t window_begin() const noexcept {
      return std::max(skip_bytes, answer_begin_byte);
    }
  };
  Written written;
  Decision decision;  ///< when the turn is over; of a user's, by its one verdict
  /// Where the policy's lists look for phrases in the turn's text; empty when it has none. Holds no text of a
  /// turn that nobody judges.
  std::optional<ListTrack> lists;

  /// Tokens so far, those slid past among them.
  [[nodiscard]] std::size_t n_tokens() const noexcept { return n_slid + tokens.size(); }
  /// The token that the next one follows.
  [[nodiscard]] const TurnToken& last() const noexcept {
    // Nothing is slid past: `before` is the state of a turn without tokens.
    return !tokens.empty() ? tokens.back() : n_slid > 0 || lead.empty() ? before : lead.back();
  }
  /// Token i of the turn, which the context has not slid past, and what it follows. @{
  [[nodiscard]] TurnToken& token(std::size_t i) noexcept { return tokens[i - n_slid]; }
  [[nodiscard]] const TurnToken& token(std::size_t i) const noexcept { return tokens[i - n_slid]; }
  [[nodiscard]] const TurnToken& previous(std::size_t i) const noexcept {
    return i > n_slid ? tokens[i - 1 - n_slid] : before;
  }  /// @}
  [[nodiscard]] static std::int32_t index(std::size_t token) noexcept {
    return kFirstIndex + static_cast<std::int32_t>(token);
  }
  /// The token that the policy knows by `index`; null when it is gone.
  [[nodiscard]] const TokenVerdict* verdict(std::int32_t index) const noexcept;
  /// Where the last token with a verdict that counts ends; 0 when there is none.
  [[nodiscard]] std::int64_t judged_end(const PolicyState& state) const noexcept {
    const TokenVerdict* token = verdict(state.judged_at);
    return token == nullptr ? 0 : token->byte_end;
  }
  /// Forgets the first n of `tokens`, but for what the decision needs.
  void slide(std::size_t n);
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return sizeof *this + (lead.capacity() + tokens.capacity()) * sizeof(TurnToken) +
           (lists ? lists->memory_bytes() : 0);
  }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_TURN_RECORD_HPP
