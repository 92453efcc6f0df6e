// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_GUARD_POLICIES_HPP
#define QWEN3GUARD_TESTS_UNIT_GUARD_POLICIES_HPP

#include <cstdint>
#include <cstring>
#include <optional>
#include <random>
#include <string>
#include <utility>

#include "qwen3guard/policy.hpp"
#include "random_data.hpp"

/// Policies for tests, and rulings in a form that can be compared whole.
namespace qwen3guard::test {

/// The default policy but for what change(spec) changes. Throws when make() refuses it.
template <class Change>
[[nodiscard]] Policy policy(const Change& change) {
  PolicySpec spec;
  change(spec);
  return Policy::make(std::move(spec)).value();
}

/// change(rule) on the rule of every category, for prompts and responses.
template <class Change>
void each_category(PolicyRules& rules, const Change& change) {
  for (RoleRules* role : {&rules.prompt, &rules.response}) {
    for (CategoryRule& rule : role->categories) change(rule);
  }
}

[[nodiscard]] inline CategoryRule& rule_of(RoleRules& role, Category category) {
  return role.categories[static_cast<std::size_t>(category)];
}

/// All fields, the score by its bits.
[[nodiscard]] inline std::string text_of(const Ruling& r) {
  std::uint32_t score_bits = 0;
  std::memcpy(&score_bits, &r.score, sizeof score_bits);
  return std::string(to_string(r.action)) + " by " + to_string(r.rule) + " of " +
         (r.category ? to_string(*r.category) : "-") + ", score " + std::to_string(r.score) + " (" +
         std::to_string(score_bits) + "), phrase " + std::to_string(r.phrase) + ", token " +
         (r.position ? std::to_string(*r.position) : "-") + ", bytes " + std::to_string(r.byte_begin) +
         " to " + std::to_string(r.byte_end) + (r.is_settled ? ", settled" : "") + ", policy " +
         r.policy_name + " " + r.policy_version;
}

/// What a decision says apart from its policy's action.
[[nodiscard]] inline std::string severity_text(const Decision& d) {
  return std::string(to_string(d.severity)) + ", token " + (d.position ? std::to_string(*d.position) : "-") +
         (d.token ? " with verdict" : "") + ", reason " + std::to_string(static_cast<int>(d.reason)) +
         ", run of " + std::to_string(d.n_run_tokens) + " from byte " + std::to_string(d.run_byte_begin) +
         (d.is_settled ? ", settled" : "") + (d.is_complete ? ", complete" : "") + ", unjudged " +
         std::to_string(d.unjudged_begin) + " to " + std::to_string(d.unjudged_end);
}

/// All that a decision says.
[[nodiscard]] inline std::string text_of(const Decision& d) {
  return severity_text(d) + ": " + to_string(d.action) + "; " + text_of(d.ruling);
}

namespace random {

[[nodiscard]] inline bool coin(std::mt19937& random) { return random() % 2 == 0; }

/// One of the multiples of 1/8, so that thresholds and probabilities often are equal.
[[nodiscard]] inline float eighths(std::mt19937& random) { return static_cast<float>(random() % 9) / 8.0F; }

[[nodiscard]] inline CategoryRule category_rule(std::mt19937& random) {
  CategoryRule rule;
  if (random() % 3 != 0) {
    rule.unsafe = static_cast<Action>(1 + random() % 3);
    if (coin(random))
      rule.controversial = static_cast<Action>(1 + random() % static_cast<unsigned>(rule.unsafe));
  } else {
    const float a = eighths(random), b = eighths(random);
    if (random() % 4 != 0) rule.flag_threshold = a < b ? a : b;
    if (random() % 4 != 0) rule.block_threshold = a < b ? b : a;
  }
  return rule;
}

[[nodiscard]] inline Debounce debounce(std::mt19937& random) {
  Debounce out;
  out.rule = coin(random) ? RunRule::published : RunRule::report;
  out.consecutive_tokens = 1 + static_cast<std::int32_t>(random() % 4);
  out.end_of_turn = coin(random) ? EndOfTurn::ignore_open_run : EndOfTurn::count_open_run;
  out.release_tokens = coin(random) ? 0 : 1 + static_cast<std::int32_t>(random() % 4);
  if (out.release_tokens > 0 && coin(random)) out.release_threshold = eighths(random);
  return out;
}

/// A spec that make() accepts. What sessions and calls do with long texts and dropped messages stays
/// as it is.
[[nodiscard]] inline PolicySpec spec(std::mt19937& random) {
  PolicySpec out;
  out.name = "policy " + std::to_string(random() % 1000);
  out.version = std::to_string(random() % 10);
  out.rules.mode = coin(random) ? Mode::strict : Mode::loose;
  each_category(out.rules, [&](CategoryRule& rule) { rule = category_rule(random); });
  for (RoleRules* role : {&out.rules.prompt, &out.rules.response})
    role->temperature = coin(random) ? 1.0F : 0.25F + eighths(random) * 4.0F;
  out.rules.debounce = debounce(random);
  out.rules.unjudged = coin(random) ? Unjudged::no_action : Unjudged::block;
  return out;
}

/// The same, with thresholds of some categories about where the small models' probabilities lie, so that
/// rulings differ.
[[nodiscard]] inline PolicySpec spec_near_the_models(std::mt19937& random) {
  PolicySpec out = spec(random);
  each_category(out.rules, [&](CategoryRule& rule) {
    if (coin(random)) return;
    rule = CategoryRule();
    rule.flag_threshold = 0.05F + 0.1F * static_cast<float>(random() % 4);
    rule.block_threshold = 0.4F + 0.15F * static_cast<float>(random() % 5);
  });
  return out;
}

}  // namespace random
}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_UNIT_GUARD_POLICIES_HPP
