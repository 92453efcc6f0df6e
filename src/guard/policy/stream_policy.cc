// SPDX-License-Identifier: Apache-2.0
#include "guard/policy/stream_policy.hpp"

#include <algorithm>

namespace qwen3guard::detail {

void PolicyState::push(const DecisionPolicy& policy, std::int32_t index, TokenVerdict& token) noexcept {
  // A Gen checkpoint's tokens between two verdicts say nothing new.
  if (!token.counts || token.source == VerdictSource::carried || token.source == VerdictSource::none) {
    if (token.counts && token.source == VerdictSource::none) run_length = 0;
    token.flagged = is_flagged;
    return;
  }
  judged_at = index;
  const Severity severity = counted_severity(policy, token);
  add_to_run(policy, index, severity, token.source);
  // A written verdict is about all of the text; one is enough.
  const bool is_held = run_length >= policy.consecutive_tokens || token.source == VerdictSource::written;
  if (is_held && run_severity > Severity::safe) {
    decide_at(index);
    is_flagged = is_flagged || raises_flag(policy, run_severity);
  }
  const bool is_calm =
      severity == Severity::safe &&
      (!policy.release_threshold || 1.0F - token.probabilities.safe < *policy.release_threshold);
  calm_length = is_calm ? calm_length + 1 : 0;
  if (policy.release_tokens > 0 && calm_length >= policy.release_tokens) is_flagged = false;
  token.flagged = is_flagged;
}

void PolicyState::add_to_run(const DecisionPolicy& policy, std::int32_t index, Severity severity,
                             VerdictSource source) noexcept {
  // Written verdicts are each about the whole text: those that differ make no run.
  const bool may_mix = policy.run_rule == RunRule::report && source == VerdictSource::heads &&
                       std::min(severity, run_severity) > Severity::safe;
  if (run_length == 0 || (severity != run_severity && !may_mix)) {
    run_length = 0;
    run_begin = index;
    run_severity = severity;
    run_is_mixed = false;
  }
  ++run_length;
  run_is_mixed = run_is_mixed || severity != run_severity;
  run_severity = std::max(run_severity, severity);
}

bool PolicyState::decide_at(std::int32_t index) noexcept {
  const bool is_unsafe = run_severity == Severity::unsafe;
  if (unsafe_at != kNone || (!is_unsafe && controversial_at != kNone)) return false;
  (is_unsafe ? unsafe_at : controversial_at) = index;
  (is_unsafe ? unsafe_begin : controversial_begin) = run_begin;
  unsafe_is_mixed = is_unsafe && run_is_mixed;
  return true;
}

void PolicyState::end_turn(const DecisionPolicy& policy, std::int32_t last) noexcept {
  if (policy.end_of_turn == EndOfTurn::ignore_open_run || run_length == 0 || run_severity <= Severity::safe)
    return;
  // Tokens that do not count may stand behind the run.
  if (!decide_at(std::min(last, judged_at))) return;
  is_flagged = is_flagged || raises_flag(policy, run_severity);
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
               : state.unsafe_is_mixed                   ? DecisionReason::mixed_run
                                                         : DecisionReason::run;
  out.n_run_tokens = state.decided_at() - state.decided_begin() + 1;
  out.run_byte_begin = first->byte_begin;
  return out;
}

}  // namespace qwen3guard::detail
