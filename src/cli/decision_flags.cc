// SPDX-License-Identifier: Apache-2.0
#include "decision_flags.hpp"

#include <utility>

#include "load_policy.hpp"

namespace qwen3guard::cli {
namespace {

/// Thresholds for every category, in the place of what its severities lead to.
void set_thresholds(RoleRules& rules, const DecisionFlags& flags) {
  for (CategoryRule& rule : rules.categories) {
    rule = {};
    rule.flag_threshold = flags.flag_threshold;
    rule.block_threshold = flags.block_threshold;
  }
}

/// So that no ruling names a policy for what it does not say.
void mark_as_changed(PolicySpec& spec) {
  constexpr std::string_view kMark = "+flags";
  constexpr std::size_t kMaxVersionBytes = 31;
  if (spec.version.size() + kMark.size() > kMaxVersionBytes) spec.version.clear();
  spec.version += kMark;
}

}  // namespace

void add_decision_flags(CLI::App& command, DecisionFlags& flags) {
  command.add_option("--policy", flags.policy,
                     std::string("what is done about verdicts: ") + kPolicyForm +
                         "; the flags below change what it says, and its version in rulings to ...+flags");
  command
      .add_option("--mode", flags.mode,
                  "strict: Controversial counts as unsafe; loose: as safe, and is flagged (default: the "
                  "policy's, strict)")
      ->check(CLI::IsMember({"strict", "loose"}));
  command
      .add_option(
          "--run-rule", flags.run_rule,
          "which of a response's tokens in a row decide (Stream models): those of one severity, as the "
          "published script has it, or, as the report has it, those that are not Safe (default: the "
          "policy's, published)")
      ->check(CLI::IsMember({"published", "report"}));
  command.add_option("--consecutive-tokens", flags.consecutive_tokens,
                     "how many of them in a row decide; at least 1 (default: the policy's, 2)");
  command.add_option("--flag-threshold", flags.flag_threshold,
                     "flag from this P(Unsafe) on, in strict mode P(Unsafe) + P(Controversial)");
  command.add_option("--block-threshold", flags.block_threshold, "block from it on");
  command.add_flag("--count-open-run", flags.count_open_run,
                   "a shorter run decides, too, when the response ends in it");
  command
      .add_option(
          "--thinking", flags.thinking,
          "a response's thinking, from a <think> at its beginning to the first </think>: there is none, "
          "judge it like the rest, or skip it")
      ->check(CLI::IsMember({"none", "judge", "skip"}))
      ->capture_default_str();
}

Policy policy_of(const DecisionFlags& flags) {
  Policy policy = flags.policy ? load_policy(*flags.policy) : Policy();
  const PolicySpec given = policy.spec();
  PolicySpec spec = given;
  PolicyRules& rules = spec.rules;
  if (flags.mode) rules.mode = *flags.mode == "loose" ? Mode::loose : Mode::strict;
  if (flags.run_rule)
    rules.debounce.rule = *flags.run_rule == "report" ? RunRule::report : RunRule::published;
  if (flags.consecutive_tokens) rules.debounce.consecutive_tokens = *flags.consecutive_tokens;
  if (flags.count_open_run) rules.debounce.end_of_turn = EndOfTurn::count_open_run;
  if (flags.flag_threshold || flags.block_threshold) {
    set_thresholds(rules.prompt, flags);
    set_thresholds(rules.response, flags);
  }
  if (spec == given) return policy;
  mark_as_changed(spec);
  return Policy::make(std::move(spec)).value();
}

Thinking thinking_of(const DecisionFlags& flags) {
  return flags.thinking == "judge"  ? Thinking::judge
         : flags.thinking == "skip" ? Thinking::skip
                                    : Thinking::none;
}

}  // namespace qwen3guard::cli
