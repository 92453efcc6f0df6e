// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/decision_policy.hpp"

#include <cmath>

#include "guard/policy/stream_policy.hpp"
#include "util/error.hpp"
#include "util/number_text.hpp"

namespace qwen3guard {
namespace {

Status check_threshold(const char* name, const std::optional<float>& value) {
  if (!value || (*value >= 0.0F && *value <= 1.0F)) return {};
  return detail::error(ErrorCode::invalid_argument, "policy.", name, ": ", *value, "; expected 0 to 1");
}

Error no_value_of(const char* field, const char* type) {
  return detail::error(ErrorCode::invalid_argument, "policy.", field, ": no value of ", type);
}

/// Whether a token of this harm, 1 - P(Safe), counts by its categories.
bool is_counted(const DecisionPolicy& policy, const TokenVerdict& token, float harm) {
  const auto counts = [&](std::size_t category) {
    const std::optional<float>& threshold = policy.category_thresholds[category];
    return policy.category_counts[category] && (!threshold || harm >= *threshold);
  };
  if (token.source == VerdictSource::heads) return counts(static_cast<std::size_t>(token.category));
  // A written verdict names several categories, or none when it is Safe: then none takes its harm away.
  bool names_one = false;
  for (std::size_t i = 0; i < token.category_probabilities.size(); ++i) {
    if (token.category_probabilities[i] <= 0.0F) continue;
    if (counts(i)) return true;
    names_one = true;
  }
  return !names_one;
}

/// What the verdicts leave unjudged: all from the first token on that should have one and is not covered.
detail::Unjudged unjudged_of(std::span<const TokenVerdict> tokens) {
  detail::Unjudged out;
  for (const TokenVerdict& token : tokens) {
    const bool has_own = token.source == VerdictSource::heads || token.source == VerdictSource::written;
    // A written verdict is about all of the text up to its token.
    if (token.source == VerdictSource::written) out.is_any = false;
    if (out.is_any || has_own || !token.counts) continue;
    out.is_any = true;
    out.begin = token.byte_begin;
    out.end = tokens.back().byte_end;
  }
  return out;
}

}  // namespace

Status check(const DecisionPolicy& policy) {
  if (policy.mode != Mode::strict && policy.mode != Mode::loose) return no_value_of("mode", "Mode");
  if (policy.run_rule != RunRule::published && policy.run_rule != RunRule::report)
    return no_value_of("run_rule", "RunRule");
  if (policy.end_of_turn != EndOfTurn::ignore_open_run && policy.end_of_turn != EndOfTurn::count_open_run)
    return no_value_of("end_of_turn", "EndOfTurn");
  if (policy.consecutive_tokens < 1) {
    return detail::error(ErrorCode::invalid_argument,
                         "policy.consecutive_tokens: ", policy.consecutive_tokens, "; expected 1 or more");
  }
  if (policy.release_tokens < 0) {
    return detail::error(ErrorCode::invalid_argument, "policy.release_tokens: ", policy.release_tokens,
                         "; expected 0 or more");
  }
  for (Status status : {check_threshold("unsafe_threshold", policy.unsafe_threshold),
                        check_threshold("controversial_threshold", policy.controversial_threshold),
                        check_threshold("release_threshold", policy.release_threshold)}) {
    if (!status.ok()) return status;
  }
  for (const auto& threshold : policy.category_thresholds) {
    Status status = check_threshold("category_thresholds", threshold);
    if (!status.ok()) return status;
  }
  return {};
}

Severity counted_severity(const DecisionPolicy& policy, const TokenVerdict& token) noexcept {
  if (token.source == VerdictSource::none) return Severity::not_judged;
  const float harm = token.probabilities.unsafe + token.probabilities.controversial;
  const bool is_unsafe = policy.unsafe_threshold ? token.probabilities.unsafe >= *policy.unsafe_threshold
                                                 : token.severity == Severity::unsafe;
  const bool is_harmful = policy.controversial_threshold ? harm >= *policy.controversial_threshold
                                                         : token.severity > Severity::safe;
  if (!is_unsafe && !is_harmful) return Severity::safe;
  if (!is_counted(policy, token, harm)) return Severity::safe;
  return is_unsafe ? Severity::unsafe : Severity::controversial;
}

Decision decide(const DecisionPolicy& policy, std::span<TokenVerdict> tokens, bool has_ended) {
  detail::PolicyState state;
  std::int32_t index = 0;
  for (TokenVerdict& token : tokens) state.push(policy, index++, token);
  if (has_ended) state.end_turn(policy, index - 1);
  const auto at = [&](std::int32_t i) {
    return i == detail::PolicyState::kNone ? nullptr : &tokens[static_cast<std::size_t>(i)];
  };
  const bool is_decided = state.decided_at() != detail::PolicyState::kNone;
  return make_decision(state, at(state.decided_at()), is_decided ? at(state.decided_begin()) : nullptr,
                       unjudged_of(tokens));
}

std::string explain(const Decision& decision) {
  std::string out = to_string(decision.severity);
  if (decision.token) {
    const TokenVerdict& token = *decision.token;
    out += detail::concat(decision.is_settled ? " (" : ", provisionally (", to_string(token.category),
                          ") at token ", token.position, ", bytes ", decision.run_byte_begin, " to ",
                          token.byte_end, ": ");
    switch (decision.reason) {
      case DecisionReason::end_of_turn:
        out += detail::concat("the turn ended in a run of ", decision.n_run_tokens);
        break;
      case DecisionReason::written:
        out += "the model's written verdict";
        break;
      case DecisionReason::mixed_run:
        out += detail::concat(decision.n_run_tokens, " in a row, each Unsafe or Controversial");
        break;
      default:
        out += detail::concat(decision.n_run_tokens, " in a row");
    }
    out += detail::concat(", P(Unsafe) ", detail::number_text(token.probabilities.unsafe, 2),
                          ", P(Controversial) ", detail::number_text(token.probabilities.controversial, 2));
  }
  if (!decision.is_complete) {
    out += decision.unjudged_begin < decision.unjudged_end
               ? detail::concat("; bytes ", decision.unjudged_begin, " to ", decision.unjudged_end,
                                " of the text were not judged")
               : std::string("; there was nothing to judge");
  }
  return out;
}

}  // namespace qwen3guard
