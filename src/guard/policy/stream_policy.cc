// SPDX-License-Identifier: Apache-2.0
#include "guard/policy/stream_policy.hpp"

#include <algorithm>

#include "guard/policy/assess.hpp"
#include "guard/policy/ruling.hpp"

namespace qwen3guard::detail {
namespace {

constexpr RunTrack::Level level_of(Severity severity) noexcept {
  return severity == Severity::unsafe          ? RunTrack::high
         : severity == Severity::controversial ? RunTrack::low
                                               : RunTrack::none;
}

constexpr RunTrack::Level level_of(Action action) noexcept {
  return action == Action::block ? RunTrack::high : action == Action::flag ? RunTrack::low : RunTrack::none;
}

constexpr Action action_of(RunTrack::Level level) noexcept {
  return level == RunTrack::high ? Action::block : level == RunTrack::low ? Action::flag : Action::allow;
}

/// The severity of a decision, and where it fell.
void set_severity(Decision& out, const PolicyState& state, const DecidingTokens& tokens) {
  const RunTrack::Place* place = state.severity.decided();
  if (place == nullptr) {
    if (out.is_complete) out.severity = Severity::safe;
    return;
  }
  const bool is_high = place == &state.severity.high_place;
  out.severity = is_high ? Severity::unsafe : Severity::controversial;
  const TokenVerdict* token = tokens.severity_at;
  out.is_settled = token == nullptr || token->is_settled;  // what the context has slid over is settled
  if (token == nullptr || tokens.severity_begin == nullptr) return;
  out.position = token->position;
  out.token = *token;
  out.reason = place->is_end_of_turn                     ? DecisionReason::end_of_turn
               : token->source == VerdictSource::written ? DecisionReason::written
               : is_high && place->is_mixed              ? DecisionReason::mixed_run
                                                         : DecisionReason::run;
  out.n_run_tokens = place->n_tokens;
  out.run_byte_begin = tokens.severity_begin->byte_begin;
}

void set_place(Ruling& out, const TokenVerdict& at, const TokenVerdict* begin) {
  out.position = at.position;
  out.byte_begin = begin != nullptr ? begin->byte_begin : at.byte_begin;
  out.byte_end = at.byte_end;
}

/// What was not judged at a turn's end, where that is more than was ruled already.
void rule_on_unjudged(const Policy& policy, Decision& out) {
  if (policy.rules().unjudged != Unjudged::block) return;
  // Also when what was ruled was released since.
  out.action = Action::block;
  if (out.ruling.action == Action::block) return;
  out.ruling = rule_unjudged(policy);
  out.ruling.byte_begin = out.unjudged_begin;
  out.ruling.byte_end = out.unjudged_end;
}

/// The ruling of a decision whose severity is known, and the action in force.
void set_ruling(Decision& out, const Policy& policy, Role role, const PolicyState& state,
                const DecidingTokens& tokens, bool has_ended) {
  Ruling& ruling = out.ruling;
  ruling = empty_ruling(policy);
  if (const RunTrack::Place* place = state.action.decided(); place != nullptr) {
    ruling.action = place == &state.action.high_place ? Action::block : Action::flag;
    ruling.rule = Rule::severity;
    ruling.is_settled = tokens.action_at == nullptr || tokens.action_at->is_settled;
    if (tokens.action_best != nullptr) {
      const Assessment best = assess(policy.rules(), role, *tokens.action_best);
      ruling.rule = best.rule;
      ruling.category = best.category;
      ruling.score = best.score;
    }
    if (tokens.action_at != nullptr) set_place(ruling, *tokens.action_at, tokens.action_begin);
  } else if (out.is_complete) {
    ruling.action = Action::allow;
    ruling.rule = Rule::safe;
    ruling.is_settled = has_ended;
    const Assessment found =
        tokens.severity_at != nullptr ? assess(policy.rules(), role, *tokens.severity_at) : Assessment();
    // Harmful, and let pass by the policy; not by its run, which the action's runs need not share.
    if (found.action == Action::allow && found.rule != Rule::safe) {
      ruling.rule = found.rule;
      ruling.category = found.category;
      ruling.score = found.score;
      set_place(ruling, *tokens.severity_at, tokens.severity_begin);
    }
  }
  out.action = ruling.action;
  // Released.
  if (ruling.action > Action::allow && state.in_force < ruling.action)
    out.action = state.in_force == Action::allow && !out.is_complete ? Action::none : state.in_force;
  if (has_ended && !out.is_complete) rule_on_unjudged(policy, out);
}

}  // namespace

void PolicyState::push(const PolicyRules& rules, Role role, std::int32_t index,
                       TokenVerdict& token) noexcept {
  const bool is_new = token.source == VerdictSource::heads || token.source == VerdictSource::written;
  // A Gen checkpoint's tokens between two verdicts say nothing new.
  if (!token.counts || !is_new) {
    if (token.counts && token.source == VerdictSource::none) severity.run_length = action.run_length = 0;
    token.action = in_force > Action::allow ? in_force : Action::none;
    return;
  }
  judged_at = index;
  const Assessment assessment = assess(rules, role, token);
  const Severity counted = assessment.counted(token.severity);
  severity.push(rules.debounce, index, token.severity, level_of(token.severity), token.source);
  const auto held = action.push(rules.debounce, index, counted, level_of(assessment.action), token.source);
  in_force = std::max(in_force, action_of(held));
  const bool is_calm = assessment.action == Action::allow &&
                       (!rules.debounce.release_threshold ||
                        score_of(rules, role, token.probabilities) < *rules.debounce.release_threshold);
  calm_length = is_calm ? calm_length + 1 : 0;
  if (rules.debounce.release_tokens > 0 && calm_length >= rules.debounce.release_tokens)
    in_force = Action::allow;
  token.action = in_force;
}

void PolicyState::end_turn(const PolicyRules& rules, std::int32_t last) noexcept {
  // Tokens that do not count may stand behind the run.
  const std::int32_t at = std::min(last, judged_at);
  severity.end_turn(rules.debounce, at);
  in_force = std::max(in_force, action_of(action.end_turn(rules.debounce, at)));
}

std::array<std::int32_t, 5> PolicyState::deciding_tokens() const noexcept {
  std::array<std::int32_t, 5> out;
  out.fill(kNone);
  if (const RunTrack::Place* place = severity.decided(); place != nullptr) {
    out[0] = place->at;
    out[1] = place->begin;
  }
  if (const RunTrack::Place* place = action.decided(); place != nullptr) {
    out[2] = place->at;
    out[3] = place->begin;
    out[4] = place->best;
  }
  return out;
}

std::array<std::int32_t, 17> PolicyState::known_tokens() const noexcept {
  std::array<std::int32_t, 17> out{};
  auto next = out.begin();
  for (const RunTrack* track : {&severity, &action}) {
    for (const RunTrack::Place* place : {&track->low_place, &track->high_place}) {
      for (const std::int32_t index : {place->at, place->begin, place->best}) *next++ = index;
    }
    *next++ = track->run_begin;
    *next++ = track->run_best;
  }
  *next = judged_at;
  return out;
}

Decision make_decision(const Policy& policy, Role role, const PolicyState& state,
                       const DecidingTokens& tokens, const UnjudgedText& unjudged, bool has_ended) {
  Decision out;
  out.is_complete = !unjudged.is_any && state.judged_at != PolicyState::kNone;
  if (unjudged.is_any) {
    out.unjudged_begin = unjudged.begin;
    out.unjudged_end = unjudged.end;
  }
  set_severity(out, state, tokens);
  set_ruling(out, policy, role, state, tokens, has_ended);
  return out;
}

Decision decide_prompt(const Policy& policy, TokenVerdict& prompt, const UnjudgedText& unjudged) {
  const Assessment found = assess(policy.rules(), Role::user, prompt);
  Decision out;
  out.is_complete = !unjudged.is_any && prompt.severity != Severity::not_judged;
  if (unjudged.is_any) {
    out.unjudged_begin = unjudged.begin;
    out.unjudged_end = unjudged.end;
  }
  out.severity = out.is_complete || prompt.severity > Severity::safe ? prompt.severity : Severity::not_judged;
  out.is_settled = out.severity != Severity::not_judged;
  if (prompt.severity > Severity::safe) {
    out.reason = prompt.source == VerdictSource::written ? DecisionReason::written : DecisionReason::run;
    out.n_run_tokens = 1;
  }
  out.ruling = empty_ruling(policy);
  if (out.is_complete || found.action > Action::allow) {
    out.ruling.action = found.action;
    out.ruling.rule = found.rule;
    out.ruling.category = found.category;
    out.ruling.score = found.score;
    out.ruling.position = prompt.position;
    out.ruling.byte_end = prompt.byte_end;
    out.ruling.is_settled = true;
  }
  out.action = out.ruling.action;
  if (!out.is_complete) rule_on_unjudged(policy, out);
  // What a host does about the prompt, of which this verdict is.
  prompt.action = out.action;
  out.position = prompt.position;
  out.token = prompt;
  return out;
}

Decision undecided(const Policy& policy) {
  Decision out;
  out.ruling = empty_ruling(policy);
  return out;
}

Decision decide_unread(const Policy& policy, std::int64_t n_bytes) {
  Decision out = undecided(policy);
  out.unjudged_end = n_bytes;
  rule_on_unjudged(policy, out);
  return out;
}

void make_incomplete(const Policy& policy, Decision& decision, bool has_ended) {
  decision.is_complete = false;
  if (decision.severity == Severity::safe) decision.severity = Severity::not_judged;
  if (decision.ruling.action <= Action::allow) decision.ruling = empty_ruling(policy);
  if (decision.action <= Action::allow) decision.action = Action::none;
  if (has_ended) rule_on_unjudged(policy, decision);
}

}  // namespace qwen3guard::detail
