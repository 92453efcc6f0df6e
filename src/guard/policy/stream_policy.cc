// SPDX-License-Identifier: Apache-2.0
#include "guard/policy/stream_policy.hpp"

namespace qwen3guard::detail {

void PolicyState::push(const DecisionPolicy& policy, std::int32_t index, TokenVerdict& token) noexcept {
  // A Gen checkpoint's tokens between two verdicts say nothing new.
  const bool is_carried = token.source == VerdictSource::carried;
  if (!token.counts || is_carried || token.source == VerdictSource::none) {
    if (!is_carried) run_length = 0;
    token.flagged = is_flagged;
    return;
  }
  judged_at = index;
  const Severity severity = counted_severity(policy, token);
  if (run_length == 0 || severity != run_severity) {
    run_length = 0;
    run_begin = index;
  }
  ++run_length;
  run_severity = severity;
  // A written verdict is about all of the text; one is enough.
  const bool is_held = run_length >= policy.consecutive_tokens || token.source == VerdictSource::written;
  if (is_held && severity == Severity::unsafe) {
    if (unsafe_at == kNone) {
      unsafe_at = index;
      unsafe_begin = run_begin;
    }
    is_flagged = true;
  }
  if (is_held && severity == Severity::controversial) {
    if (controversial_at == kNone) {
      controversial_at = index;
      controversial_begin = run_begin;
    }
    is_flagged = is_flagged || policy.mode == Mode::strict;
  }
  const bool is_calm =
      severity == Severity::safe &&
      (!policy.release_threshold || 1.0F - token.probabilities.safe < *policy.release_threshold);
  calm_length = is_calm ? calm_length + 1 : 0;
  if (policy.release_tokens > 0 && calm_length >= policy.release_tokens) is_flagged = false;
  token.flagged = is_flagged;
}

void PolicyState::end_turn(const DecisionPolicy& policy, std::int32_t last) noexcept {
  if (policy.end_of_turn == EndOfTurn::ignore_open_run || run_length == 0 || run_severity <= Severity::safe)
    return;
  const bool is_unsafe = run_severity == Severity::unsafe;
  std::int32_t& at = is_unsafe ? unsafe_at : controversial_at;
  if (at != kNone || (!is_unsafe && unsafe_at != kNone)) return;
  at = last;
  (is_unsafe ? unsafe_begin : controversial_begin) = run_begin;
  is_flagged = is_flagged || is_unsafe || policy.mode == Mode::strict;
  is_end_of_turn = true;
}

Decision make_decision(const PolicyState& state, const TokenVerdict* token, const TokenVerdict* first,
                       const Unjudged& unjudged) {
  Decision out;
  out.is_flagged = state.is_flagged;
  out.is_complete = !unjudged.is_any && state.judged_at != PolicyState::kNone;
  if (unjudged.is_any) {
    out.unjudged_begin = unjudged.begin;
    out.unjudged_end = unjudged.end;
  }
  if (state.decided_at() == PolicyState::kNone) {
    if (out.is_complete) out.severity = Severity::safe;
    return out;
  }
  out.severity = state.unsafe_at != PolicyState::kNone ? Severity::unsafe : Severity::controversial;
  out.is_settled = token == nullptr || token->is_settled;  // what the context has slid over is settled
  if (token == nullptr || first == nullptr) return out;
  out.position = token->position;
  out.token = *token;
  out.reason = state.is_end_of_turn                      ? DecisionReason::end_of_turn
               : token->source == VerdictSource::written ? DecisionReason::written
                                                         : DecisionReason::run;
  out.n_run_tokens = state.decided_at() - state.decided_begin() + 1;
  out.run_byte_begin = first->byte_begin;
  return out;
}

}  // namespace qwen3guard::detail
