// SPDX-License-Identifier: Apache-2.0
#include "decision_flags.hpp"

namespace qwen3guard::cli {

void add_decision_flags(CLI::App& command, DecisionFlags& flags) {
  command.add_option("--mode", flags.mode, "strict: Controversial counts as unsafe; loose: as safe")
      ->check(CLI::IsMember({"strict", "loose"}))
      ->capture_default_str();
  command
      .add_option(
          "--run-rule", flags.run_rule,
          "which of a response's tokens in a row decide (Stream models): those of one severity, as the "
          "published script has it, or, as the report has it, those that are not Safe")
      ->check(CLI::IsMember({"published", "report"}))
      ->capture_default_str();
  command
      .add_option("--consecutive-tokens", flags.consecutive_tokens,
                  "how many of them in a row decide; at least 1")
      ->capture_default_str();
  command.add_option("--unsafe-threshold", flags.unsafe_threshold,
                     "a token is Unsafe from this P(Unsafe) on (Stream models)");
  command.add_option("--controversial-threshold", flags.controversial_threshold,
                     "else Controversial from this P(Unsafe) + P(Controversial) on");
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

DecisionPolicy policy_of(const DecisionFlags& flags) {
  DecisionPolicy policy;
  policy.mode = flags.mode == "loose" ? Mode::loose : Mode::strict;
  policy.run_rule = flags.run_rule == "report" ? RunRule::report : RunRule::published;
  policy.consecutive_tokens = flags.consecutive_tokens;
  policy.unsafe_threshold = flags.unsafe_threshold;
  policy.controversial_threshold = flags.controversial_threshold;
  policy.end_of_turn = flags.count_open_run ? EndOfTurn::count_open_run : EndOfTurn::ignore_open_run;
  return policy;
}

Thinking thinking_of(const DecisionFlags& flags) {
  return flags.thinking == "judge"  ? Thinking::judge
         : flags.thinking == "skip" ? Thinking::skip
                                    : Thinking::none;
}

}  // namespace qwen3guard::cli
