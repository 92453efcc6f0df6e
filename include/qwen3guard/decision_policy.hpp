// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DECISION_POLICY_HPP
#define QWEN3GUARD_DECISION_POLICY_HPP

/// @file
/// From the verdicts of a turn's tokens to a decision.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

/// From the verdicts of tokens to a decision. The model has no part in it: decide() runs it over stored
/// verdicts. The default is the published evaluation's rule: Unsafe at the first two Unsafe tokens in a row;
/// else Controversial at the first two Controversial ones; a decision stands until the turn ends. A plain
/// value.
///
/// First each token gets a severity that counts. Without thresholds that is its most probable one. With
/// `unsafe_threshold` it is Unsafe when P(Unsafe) reaches it; with `controversial_threshold` it is
/// (otherwise) Controversial when P(Unsafe) + P(Controversial) reaches it. A token is Safe when its category
/// does not count, or when 1 - P(Safe) is below its category's threshold; a verdict that a Gen checkpoint
/// wrote, when that is so of all categories that it names. Then runs are looked for, by `run_rule`; a single
/// written verdict decides under either rule.
struct DecisionPolicy {
  Mode mode = Mode::strict;               ///< strict: a Controversial decision flags too
  RunRule run_rule = RunRule::published;  ///< which tokens make a run
  std::int32_t consecutive_tokens = 2;    ///< debounce: tokens in a row that decide; at least 1
  /// See above; in [0, 1]. @{
  std::optional<float> unsafe_threshold, controversial_threshold;          /// @}
  std::array<std::optional<float>, kCategoryCount> category_thresholds{};  ///< by Category; in [0, 1]
  /// By Category; false: tokens of this category are Safe.
  std::array<bool, kCategoryCount> category_counts = {true, true, true, true, true, true, true, true, true};
  /// Hysteresis: a flag is taken back after so many tokens in a row that are Safe (and, when
  /// `release_threshold` is set, whose 1 - P(Safe) is below it). 0: a flag stays. The decision stays in any
  /// case: it says what the turn held.
  std::int32_t release_tokens = 0;
  std::optional<float> release_threshold;              ///< in [0, 1]
  EndOfTurn end_of_turn = EndOfTurn::ignore_open_run;  ///< of runs that the end cuts off
};

/// Errors: invalid_argument (a field out of range, with its name).
[[nodiscard]] Status check(const DecisionPolicy& policy);

/// The severity that a token counts with under `policy`; not_judged when its source is none. A pure function.
[[nodiscard]] Severity counted_severity(const DecisionPolicy& policy, const TokenVerdict& token) noexcept;

/// The policy over the verdicts of one turn; sets their `flagged`. has_ended: the turn is over. Tokens whose
/// `counts` is false are passed over: they neither make nor end a run. The decision is about the text up to
/// the last token: it is Safe only when there is one that counts, and each that counts has a verdict or is
/// covered by a written one behind it. Time: O(n).
[[nodiscard]] Decision decide(const DecisionPolicy& policy, std::span<TokenVerdict> tokens, bool has_ended);

/// One sentence for a person: severity, category, where, and why.
[[nodiscard]] std::string explain(const Decision& decision);

}  // namespace qwen3guard

#endif  // QWEN3GUARD_DECISION_POLICY_HPP
