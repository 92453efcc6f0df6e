// SPDX-License-Identifier: Apache-2.0
#include "decision_flags.hpp"

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

}  // namespace

void add_decision_flags(CLI::App& command, DecisionFlags& flags) {
  command
      .add_option("--mode", flags.mode,
                  "strict: Controversial counts as unsafe; loose: as safe, and is flagged (default strict)")
      ->check(CLI::IsMember({"strict", "loose"}));
  command
      .add_option(
          "--run-rule", flags.run_rule,
          "which of a response's tokens in a row decide (Stream models): those of one severity, as the "
          "published script has it, or, as the report has it, those that are not Safe (default published)")
      ->check(CLI::IsMember({"published", "report"}));
  command.add_option("--consecutive-tokens", flags.consecutive_tokens,
                     "how many of them in a row decide; at least 1 (default 2)");
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
  PolicySpec spec;
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
  return Policy::make(std::move(spec)).value();
}

Thinking thinking_of(const DecisionFlags& flags) {
  return flags.thinking == "judge"  ? Thinking::judge
         : flags.thinking == "skip" ? Thinking::skip
                                    : Thinking::none;
}

}  // namespace qwen3guard::cli
