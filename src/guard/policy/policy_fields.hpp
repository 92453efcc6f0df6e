// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_POLICY_FIELDS_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_POLICY_FIELDS_HPP

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/quote.hpp"
#include "util/concat.hpp"

/// What a policy's file has, stated once: keys, words, ranges and contradictions. The reader, the writer and
/// the check of a spec each go through this list. policy.schema.json says the same for editors.
namespace qwen3guard::detail {

/// The version of the form.
inline constexpr std::int64_t kPolicySchema = 1;

/// Of numbers; both ends count.
template <class Number>
struct Range {
  Number min, max;
  friend bool operator==(const Range&, const Range&) = default;
};
inline constexpr Range<float> kProbabilityRange{0.0F, 1.0F};
/// Far beyond what a calibration finds; outside, the calibrated probabilities are 0, 1 or no number.
inline constexpr Range<float> kTemperatureRange{0.01F, 100.0F};
inline constexpr Range<std::int32_t> kCountRange{0, std::numeric_limits<std::int32_t>::max()};
inline constexpr Range<std::int32_t> kPositiveRange{1, std::numeric_limits<std::int32_t>::max()};
inline constexpr std::size_t kMaxPolicyNameBytes = 63, kMaxPolicyVersionBytes = 31, kMaxPhraseBytes = 1000;

/// The words for the values of an enum, by value; "" for one that a policy cannot have. @{
using Words = std::span<const std::string_view>;
inline constexpr std::array<std::string_view, 2> kModeWords = {"strict", "loose"};
inline constexpr std::array<std::string_view, 4> kActionWords = {"", "off", "flag", "block"};
inline constexpr std::array<std::string_view, 2> kRunRuleWords = {"published", "report"};
inline constexpr std::array<std::string_view, 2> kEndOfTurnWords = {"ignore_open_run", "count_open_run"};
inline constexpr std::array<std::string_view, 2> kUnjudgedWords = {"no_action", "block"};
inline constexpr std::array<std::string_view, 3> kContextWords = {"error", "stop", "slide"};
inline constexpr std::array<std::string_view, 2> kLongTextWords = {"error", "windows"};
inline constexpr std::array<std::string_view, 2> kDroppedWords = {"report", "reject"};  /// @}

inline constexpr const char* kActionBesideThreshold =
    "an action beside a threshold; thresholds decide by the score alone";

/// What is wrong within a part of a policy: the field, by its key, and a sentence's rest.
struct FieldFault {
  std::string_view field;
  std::string what;
};

[[nodiscard]] inline bool has_thresholds(const CategoryRule& rule) noexcept {
  return rule.flag_threshold || rule.block_threshold;
}

/// Fields that do not go together. @{
[[nodiscard]] inline std::optional<FieldFault> contradiction(const CategoryRule& rule) {
  if (has_thresholds(rule) && rule.controversial) return FieldFault{"controversial", kActionBesideThreshold};
  if (has_thresholds(rule) && rule.unsafe != Action::block)
    return FieldFault{"unsafe", kActionBesideThreshold};
  if (rule.flag_threshold && rule.block_threshold && *rule.flag_threshold > *rule.block_threshold) {
    return FieldFault{"flag_threshold", concat(*rule.flag_threshold, "; expected at most block_threshold, ",
                                               *rule.block_threshold)};
  }
  if (rule.controversial && *rule.controversial > rule.unsafe) {
    const auto word = [](Action action) { return quote(kActionWords[static_cast<std::size_t>(action) % 4]); };
    return FieldFault{"controversial", concat(word(*rule.controversial), " is stricter than ",
                                              word(rule.unsafe), ", which Unsafe leads to")};
  }
  return std::nullopt;
}

[[nodiscard]] inline std::optional<FieldFault> contradiction(const Debounce& debounce) {
  if (debounce.release_threshold && debounce.release_tokens == 0)
    return FieldFault{"release_threshold",
                      "set, but nothing is released; expected release_tokens of at least 1 beside it"};
  return std::nullopt;
}  /// @}

/// Each calls `fields` for every key of an object. `fields` has
///   schema(key), text(key, string, max_bytes), word(key, enum, words), number(key, number, range),
///   flag(key, bool), object(key, visit), and for the rest what stands here;
/// number() and word() take optionals, too. Specs are const where `fields` does not change them. @{
template <class Fields, class Rule>
void visit_rule(Fields& fields, Rule& rule) {
  fields.word("unsafe", rule.unsafe, kActionWords);
  fields.word("controversial", rule.controversial, kActionWords);
  fields.number("flag_threshold", rule.flag_threshold, kProbabilityRange);
  fields.number("block_threshold", rule.block_threshold, kProbabilityRange);
}

template <class Fields, class Rules>
void visit_role(Fields& fields, Rules& rules, bool is_prompt) {
  fields.categories("default", "categories", rules.categories, is_prompt);
  fields.number("temperature", rules.temperature, kTemperatureRange);
}

template <class Fields, class Part>
void visit_debounce(Fields& fields, Part& debounce) {
  fields.word("rule", debounce.rule, kRunRuleWords);
  fields.number("consecutive_tokens", debounce.consecutive_tokens, kPositiveRange);
  fields.word("end_of_turn", debounce.end_of_turn, kEndOfTurnWords);
  fields.number("release_tokens", debounce.release_tokens, kCountRange);
  fields.number("release_threshold", debounce.release_threshold, kProbabilityRange);
  fields.consistent(debounce);
}

template <class Fields, class Part>
void visit_folding(Fields& fields, Part& folding) {
  fields.flag("letter_case", folding.letter_case);
  fields.flag("width", folding.width);
  fields.flag("confusables", folding.confusables);
  fields.flag("invisible", folding.invisible);
  fields.flag("spaced_out", folding.spaced_out);
  fields.flag("leetspeak", folding.leetspeak);
}

template <class Fields, class Part>
void visit_lists(Fields& fields, Part& lists) {
  fields.phrases("deny", lists.deny);
  fields.phrases("allow", lists.allow);
  fields.object("folding", [&](Fields& inner) { visit_folding(inner, lists.folding); });
  fields.flag("judge_folded_copy", lists.judge_folded_copy);
}

template <class Fields, class Spec>
void visit_policy(Fields& fields, Spec& spec) {
  auto& rules = spec.rules;
  fields.schema("schema");
  fields.text("name", spec.name, kMaxPolicyNameBytes);
  fields.text("version", spec.version, kMaxPolicyVersionBytes);
  fields.word("mode", rules.mode, kModeWords);
  fields.object("prompt", [&](Fields& inner) { visit_role(inner, rules.prompt, true); });
  fields.object("response", [&](Fields& inner) { visit_role(inner, rules.response, false); });
  fields.object("debounce", [&](Fields& inner) { visit_debounce(inner, rules.debounce); });
  fields.word("unjudged", rules.unjudged, kUnjudgedWords);
  fields.word("context", rules.context, kContextWords);
  fields.word("long_text", rules.long_text, kLongTextWords);
  fields.number("window_overlap_tokens", rules.window_overlap_tokens, kCountRange);
  fields.word("dropped_messages", rules.dropped_messages, kDroppedWords);
  fields.object("lists", [&](Fields& inner) { visit_lists(inner, spec.lists); });
}  /// @}

/// "0 to 1", "at least 1".
template <class Number>
[[nodiscard]] std::string range_text(const Range<Number>& range) {
  if (range.max == std::numeric_limits<Number>::max()) return concat("at least ", range.min);
  return concat(range.min, " to ", range.max);
}

/// All of them, quoted, with commas and "or".
[[nodiscard]] std::string words_text(Words words);

/// What is wrong with a name or a version, and with a phrase; empty when nothing is. @{
[[nodiscard]] std::string text_fault(std::string_view text, std::size_t max_bytes);
[[nodiscard]] std::string phrase_fault(std::string_view phrase);  /// @}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_POLICY_FIELDS_HPP
