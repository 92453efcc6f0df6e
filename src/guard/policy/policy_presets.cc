// SPDX-License-Identifier: Apache-2.0
#include "guard/policy/policy_document.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"

// docs/policy.md has the reasons for all of this. There are no thresholds: what they have to be depends on
// the model and on the texts, and nobody has measured yours.
namespace qwen3guard::detail {
namespace {

constexpr std::array<std::string_view, 4> kPresetNames = {"strict", "loose", "chat-game", "assistant"};

/// By Category: { of Unsafe, of Controversial }.
using CategoryActions = std::array<std::array<Action, 2>, kCategoryCount>;

constexpr Action kOff = Action::allow, kFlag = Action::flag, kBlock = Action::block;

/// In a game people threaten each other for fun, and nobody works on a text.
constexpr CategoryActions kGameActions = {{
    {kFlag, kOff},     // Violent
    {kBlock, kFlag},   // Non-violent Illegal Acts
    {kBlock, kBlock},  // Sexual Content or Sexual Acts
    {kBlock, kBlock},  // PII
    {kBlock, kBlock},  // Suicide & Self-Harm
    {kBlock, kBlock},  // Unethical Acts
    {kOff, kOff},      // Politically Sensitive Topics
    {kOff, kOff},      // Copyright Violation
    {kFlag, kFlag},    // Jailbreak
}};

/// People give an assistant their own data, and ask it for help.
constexpr CategoryActions kAssistantPromptActions = {{
    {kBlock, kFlag},   // Violent
    {kBlock, kFlag},   // Non-violent Illegal Acts
    {kBlock, kFlag},   // Sexual Content or Sexual Acts
    {kFlag, kOff},     // PII
    {kFlag, kFlag},    // Suicide & Self-Harm
    {kBlock, kFlag},   // Unethical Acts
    {kOff, kOff},      // Politically Sensitive Topics
    {kFlag, kOff},     // Copyright Violation
    {kBlock, kBlock},  // Jailbreak
}};
constexpr CategoryActions kAssistantResponseActions = {{
    {kBlock, kFlag},   // Violent
    {kBlock, kFlag},   // Non-violent Illegal Acts
    {kBlock, kFlag},   // Sexual Content or Sexual Acts
    {kBlock, kFlag},   // PII
    {kBlock, kBlock},  // Suicide & Self-Harm
    {kBlock, kFlag},   // Unethical Acts
    {kOff, kOff},      // Politically Sensitive Topics
    {kFlag, kFlag},    // Copyright Violation
    {kBlock, kBlock},  // Jailbreak
}};

/// What `mode` makes of Controversial anyway is left to it. Responses are not judged for Jailbreak.
RoleRules preset_rules(const CategoryActions& actions, Mode mode, bool is_prompt) {
  RoleRules rules;
  for (std::size_t i = 0; i < actions.size(); ++i) {
    if (static_cast<Category>(i) == Category::jailbreak && !is_prompt) continue;
    const auto [unsafe, controversial] = actions[i];
    const Action milder = unsafe == kBlock ? kFlag : kOff;
    rules.categories[i].unsafe = unsafe;
    if (controversial != (mode == Mode::strict ? unsafe : milder))
      rules.categories[i].controversial = controversial;
  }
  return rules;
}

void fill_strict(PolicyRules& rules) {
  rules.debounce.rule = RunRule::report;
  rules.debounce.end_of_turn = EndOfTurn::count_open_run;
  rules.unjudged = Unjudged::block;
  rules.dropped_messages = DroppedMessages::reject;
}

void fill_chat_game(PolicyRules& rules) {
  rules.prompt = preset_rules(kGameActions, rules.mode, true);
  rules.response = preset_rules(kGameActions, rules.mode, false);
  rules.unjudged = Unjudged::block;
}

void fill_assistant(PolicyRules& rules) {
  rules.mode = Mode::loose;
  rules.prompt = preset_rules(kAssistantPromptActions, rules.mode, true);
  rules.response = preset_rules(kAssistantResponseActions, rules.mode, false);
  rules.unjudged = Unjudged::block;
  rules.context = ContextPolicy::slide;
  rules.long_text = LongText::windows;
}

}  // namespace

std::span<const std::string_view> preset_names() noexcept { return kPresetNames; }

Result<PolicySpec> preset_spec(std::string_view name) {
  PolicySpec spec;
  spec.name = std::string(name);
  if (name == "strict") return fill_strict(spec.rules), spec;
  if (name == "loose") return spec.rules.mode = Mode::loose, spec;
  if (name == "chat-game") return fill_chat_game(spec.rules), spec;
  if (name == "assistant") return fill_assistant(spec.rules), spec;
  std::string names;
  for (const std::string_view preset : kPresetNames) names += concat(names.empty() ? "" : ", ", preset);
  return error(ErrorCode::invalid_argument, quote(name),
               " is no policy of the library; expected one of: ", names);
}

}  // namespace qwen3guard::detail
