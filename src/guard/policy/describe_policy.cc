// SPDX-License-Identifier: Apache-2.0
#include <utility>
#include <vector>

#include "guard/policy/policy_document.hpp"
#include "guard/policy/policy_fields.hpp"
#include "qwen3guard/quote.hpp"

namespace qwen3guard::detail {
namespace {

const char* done_to(Action action) noexcept {
  return action == Action::block ? "blocked" : action == Action::flag ? "flagged" : "allowed";
}

/// What Controversial leads to where there are no thresholds.
Action controversial_action(const CategoryRule& rule, Mode mode) noexcept {
  if (rule.controversial) return *rule.controversial;
  if (mode == Mode::strict) return rule.unsafe;
  return rule.unsafe == Action::block ? Action::flag : Action::allow;
}

std::string rule_text(const CategoryRule& rule, Mode mode) {
  if (!has_thresholds(rule)) {
    const Action controversial = controversial_action(rule, mode);
    if (rule.unsafe == Action::allow) return "off";
    if (rule.unsafe == controversial) return concat("Unsafe and Controversial are ", done_to(rule.unsafe));
    return concat("Unsafe is ", done_to(rule.unsafe), ", Controversial is ", done_to(controversial));
  }
  std::string out;
  const auto add = [&](const char* action, const std::optional<float>& threshold) {
    if (threshold) out += concat(out.empty() ? "" : ", ", action, " from ", *threshold, " on");
  };
  add("flagged", rule.flag_threshold);
  add("blocked", rule.block_threshold);
  return concat(out, ", else allowed, by ",
                mode == Mode::strict ? "P(Unsafe) + P(Controversial)" : "P(Unsafe)");
}

/// Categories of the same effect on one line.
std::string role_text(const char* title, const RoleRules& rules, Mode mode, bool is_prompt) {
  std::vector<std::pair<std::string, std::string>> groups;  // what happens, and to what
  const std::int32_t n = kCategoryCount - (is_prompt ? 0 : 1);
  static_assert(static_cast<std::int32_t>(Category::jailbreak) == kCategoryCount - 1);
  for (std::int32_t i = 0; i < n; ++i) {
    const std::string effect = rule_text(rules.categories[static_cast<std::size_t>(i)], mode);
    const auto same =
        std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.first == effect; });
    const char* name = to_string(static_cast<Category>(i));
    if (same == groups.end()) {
      groups.emplace_back(effect, name);
    } else {
      same->second += concat(", ", name);
    }
  }
  if (groups.size() == 1) groups.front().second = "all categories";
  std::string out = concat(title, ":\n");
  for (const auto& [effect, names] : groups) out += concat("  ", names, ": ", effect, ".\n");
  if (rules.temperature != 1.0F)
    out += concat("  Thresholds see probabilities at temperature ", rules.temperature, ".\n");
  return out;
}

std::string debounce_text(const Debounce& debounce) {
  const std::int32_t n = debounce.consecutive_tokens;
  const char* of = debounce.rule == RunRule::published ? "of one severity" : "of which none is Safe";
  std::string out = n == 1 ? std::string("Streams: a single token decides. ")
                           : concat("Streams: ", n, " tokens in a row ", of, " decide. ");
  if (n > 1) {
    out += debounce.end_of_turn == EndOfTurn::count_open_run
               ? "A shorter run decides, too, when the turn ends in it. "
               : "A shorter run in which the turn ends decides nothing. ";
  }
  if (debounce.release_tokens == 0) return out += "An action stays until the turn ends.\n";
  out +=
      concat("An action is taken back after ", debounce.release_tokens, " tokens in a row that lead to none");
  if (debounce.release_threshold) out += concat(" and score below ", *debounce.release_threshold);
  return out += ".\n";
}

const char* context_text(ContextPolicy context) noexcept {
  switch (context) {
    case ContextPolicy::error:
      return "Streams at the end of the context: an error.\n";
    case ContextPolicy::stop:
      return "Streams at the end of the context: what follows is not judged, and says so.\n";
    case ContextPolicy::slide:
      return "Streams at the end of the context: the oldest half of the response makes room.\n";
  }
  return "";
}

std::string lists_text(const PhraseLists& lists) {
  if (lists.deny.empty() && lists.allow.empty() && !lists.judge_folded_copy) return {};
  const Folding& folding = lists.folding;
  std::string folded;
  const auto add = [&](bool is_on, const char* name) {
    if (is_on) folded += concat(folded.empty() ? "" : ", ", name);
  };
  add(folding.letter_case, "case");
  add(folding.width, "width");
  add(folding.confusables, "characters that look alike");
  add(folding.invisible, "invisible characters");
  add(folding.spaced_out, "spaced-out letters");
  add(folding.leetspeak, "leetspeak");
  if (folded.empty()) folded = "nothing";
  std::string out = concat("Phrases that block before the model judges: ", lists.deny.size(),
                           "; that lift such hits: ", lists.allow.size(), ". Folded away: ", folded, ".\n");
  if (lists.judge_folded_copy) out += "A folded copy is judged, too, and the worse verdict counts.\n";
  return out;
}

}  // namespace

std::string describe_policy(const PolicySpec& spec) {
  const PolicyRules& rules = spec.rules;
  std::string out = concat("Policy ", quote(spec.name), ", version ", quote(spec.version), ", ",
                           rules.mode == Mode::strict ? "strict" : "loose", " mode.\n");
  out += role_text("Prompts", rules.prompt, rules.mode, true);
  out += role_text("Responses", rules.response, rules.mode, false);
  out += debounce_text(rules.debounce);
  out += rules.unjudged == Unjudged::block ? "What was not judged is blocked.\n"
                                           : "What was not judged gets no action: the host decides.\n";
  out += context_text(rules.context);
  out += rules.long_text == LongText::error
             ? std::string("Messages longer than the context: an error.\n")
             : concat("Messages longer than the context are judged in windows that overlap by ",
                      rules.window_overlap_tokens, " tokens; the worst verdict counts.\n");
  out += rules.dropped_messages == DroppedMessages::report
             ? "Messages that a Gen checkpoint's template leaves out are reported.\n"
             : "Messages that a Gen checkpoint's template leaves out are an error.\n";
  return out += lists_text(spec.lists);
}

}  // namespace qwen3guard::detail
