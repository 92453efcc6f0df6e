// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "guard/policy/assess.hpp"
#include "guard/policy/list_ruling.hpp"
#include "guard/policy/ruling.hpp"
#include "guard/policy/stream_policy.hpp"
#include "qwen3guard/policy.hpp"
#include "util/concat.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/number_text.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

/// What the verdicts leave unjudged: all from the first token on that should have one and is not covered.
detail::UnjudgedText unjudged_of(std::span<const TokenVerdict> tokens) {
  detail::UnjudgedText out;
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

Ruling rule_by_severity(const Policy& policy, const Verdict& verdict) {
  std::vector<Category> found;
  for (const CategoryScore& score : verdict.categories) found.push_back(score.category);
  const detail::Assessment what =
      detail::assess(policy.rules(), verdict.role, verdict.severity, verdict.probabilities, found);
  Ruling out = detail::empty_ruling(policy);
  out.action = what.action;
  out.rule = what.rule;
  out.category = what.category;
  out.score = what.score;
  out.is_settled = true;
  return out;
}

/// The ruling on tokens of a turn that is over.
Ruling rule_on_tokens(const Policy& policy, Role role, std::span<const TokenVerdict> tokens) {
  std::vector<TokenVerdict> copy(tokens.begin(), tokens.end());
  return decide(policy, role, copy, true).ruling;
}

Result<Ruling> rule_on_part(const Policy& policy, const Verdict& verdict) {
  const std::span<const TokenVerdict> tokens = verdict.token_verdicts;
  if (tokens.empty()) {
    if (verdict.severity == Severity::not_judged) return rule_unjudged(policy);
    if (!verdict.position) return rule_by_severity(policy, verdict);
    return detail::error(
        ErrorCode::invalid_argument,
        "decide: a Stream checkpoint's verdict without its token verdicts; expected one given with "
        "ClassifyOptions::keep_token_verdicts");
  }
  if (verdict.role == Role::user) {
    TokenVerdict prompt = tokens.back();
    return detail::decide_prompt(policy, prompt, {}).ruling;
  }
  const std::size_t n_written =
      std::clamp<std::size_t>(static_cast<std::size_t>(std::max(verdict.n_as_written, 0)), 0, tokens.size());
  Ruling out = rule_on_tokens(policy, verdict.role, tokens.subspan(n_written));
  if (n_written == 0) return out;
  Ruling before = rule_on_tokens(policy, verdict.role, tokens.first(n_written));
  return detail::strictness(before.action) > detail::strictness(out.action) ? before : out;
}

void append_ruling(std::string& out, const Ruling& ruling) {
  out += detail::concat("; policy ", ruling.policy_name, ": ", to_string(ruling.action), " (",
                        to_string(ruling.rule));
  if (ruling.category) out += detail::concat(", ", to_string(*ruling.category));
  if (ruling.rule == Rule::deny_list)
    out += detail::concat(", phrase ", ruling.phrase, ", bytes ", ruling.byte_begin, " to ", ruling.byte_end);
  if (ruling.rule == Rule::threshold || ruling.rule == Rule::below_threshold)
    out += detail::concat(", score ", detail::number_text(ruling.score, 2));
  out += ")";
}

}  // namespace

Result<Ruling> detail::rule_on_verdict(const Policy& policy, const Verdict& verdict) {
  const std::size_t n_windows =
      verdict.window ? static_cast<std::size_t>(std::max(verdict.window->n_windows, 0)) : 0;
  if ((n_windows > 1 || verdict.is_of_folded_copy) &&
      verdict.windows.size() < std::max<std::size_t>(n_windows, 1)) {
    return detail::error(ErrorCode::invalid_argument, "decide: the verdict is on one of ", n_windows,
                         " windows of a message, or on a folded copy of it, and a policy may make more of "
                         "another; expected all "
                         "of them in Verdict::windows");
  }
  if (verdict.windows.empty()) {
    Q3G_ASSIGN(Ruling ruling, rule_on_part(policy, verdict));
    if (verdict.window) detail::place_in_window(ruling, *verdict.window, verdict.role);
    return ruling;
  }
  std::vector<Ruling> rulings;
  for (const Verdict& window : verdict.windows) {
    Q3G_ASSIGN(Ruling ruling, rule_on_part(policy, window));
    if (window.window) detail::place_in_window(ruling, *window.window, window.role);
    rulings.push_back(std::move(ruling));
  }
  return detail::strictest_ruling(rulings);
}

Ruling rule_unjudged(const Policy& policy) {
  Ruling out = detail::empty_ruling(policy);
  if (policy.rules().unjudged == Unjudged::no_action) return out;
  out.action = Action::block;
  out.rule = Rule::not_judged;
  out.is_settled = true;
  return out;
}

Result<Ruling> decide(const Policy& policy, const Verdict& verdict, std::string_view text) {
  return detail::guarded("decide", [&]() -> Result<Ruling> {
    if (detail::denied_phrases(policy) != nullptr) {
      if (text.empty())
        return Error{ErrorCode::invalid_argument,
                     "decide: no text, and the policy has lists; expected the judged message"};
      if (auto ruling = detail::rule_by_lists(policy, text)) return *std::move(ruling);
    }
    return detail::rule_on_verdict(policy, verdict);
  });
}

Decision decide(const Policy& policy, Role role, std::span<TokenVerdict> tokens, bool has_ended) {
  detail::PolicyState state;
  std::int32_t index = 0;
  for (TokenVerdict& token : tokens) state.push(policy.rules(), role, index++, token);
  if (has_ended) state.end_turn(policy.rules(), index - 1);
  const auto found = detail::deciding_tokens(
      state, [&](std::int32_t i) -> const TokenVerdict* { return &tokens[static_cast<std::size_t>(i)]; });
  return detail::make_decision(policy, role, state, found, unjudged_of(tokens), has_ended);
}

std::string explain(const Decision& decision) {
  std::string out = to_string(decision.severity);
  if (decision.token && decision.reason != DecisionReason::none) {
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
  if (decision.ruling.rule != Rule::none && decision.ruling.rule != Rule::safe)
    append_ruling(out, decision.ruling);
  return out;
}

}  // namespace qwen3guard
