// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "guard/policy/policy_impl.hpp"
#include "util/concat.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::size_t kMaxNameBytes = 63, kMaxVersionBytes = 31;

template <class... Parts>
Error policy_error(std::string_view path, Parts&&... parts) {
  return error(ErrorCode::invalid_argument, "policy: ", path, ": ", std::forward<Parts>(parts)...);
}

Status check_label(std::string_view path, std::string_view text, std::size_t max_bytes) {
  if (text.empty() || text.size() > max_bytes)
    return policy_error(path, text.size(), " bytes; expected 1 to ", max_bytes);
  if (find_invalid_utf8(text)) return policy_error(path, "not UTF-8");
  for (const char c : text) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F)
      return policy_error(path, "holds a control character");
  }
  return {};
}

Status check_probability(std::string_view path, const std::optional<float>& value) {
  if (!value || (*value >= 0.0F && *value <= 1.0F)) return {};
  return policy_error(path, *value, "; expected 0 to 1");
}

template <class Enum>
Status check_choice(std::string_view path, Enum value, Enum last) {
  if (value >= Enum{} && value <= last) return {};
  return policy_error(path, "no value of its type: ", static_cast<std::int32_t>(value));
}

Status check_action(std::string_view path, Action action) {
  if (action >= Action::allow && action <= Action::block) return {};
  return policy_error(path, "no action: ", static_cast<std::int32_t>(action),
                      "; expected allow (off), flag or block");
}

Status check_category(const std::string& path, const CategoryRule& rule) {
  Q3G_TRY(check_action(path + ".unsafe", rule.unsafe));
  if (rule.controversial) {
    Q3G_TRY(check_action(path + ".controversial", *rule.controversial));
    if (*rule.controversial > rule.unsafe) {
      return policy_error(path + ".controversial", to_string(*rule.controversial),
                          ", which is stricter than ", to_string(rule.unsafe),
                          " for unsafe; expected no stricter action");
    }
  }
  Q3G_TRY(check_probability(path + ".flag_threshold", rule.flag_threshold));
  Q3G_TRY(check_probability(path + ".block_threshold", rule.block_threshold));
  if (rule.flag_threshold && rule.block_threshold && *rule.flag_threshold > *rule.block_threshold) {
    return policy_error(path + ".flag_threshold", *rule.flag_threshold, ", above the block_threshold ",
                        *rule.block_threshold, "; expected no more");
  }
  return {};
}

Status check_role(const char* path, const RoleRules& rules) {
  for (std::size_t i = 0; i < rules.categories.size(); ++i)
    Q3G_TRY(check_category(concat(path, ".categories.", to_string(static_cast<Category>(i))),
                           rules.categories[i]));
  if (std::isfinite(rules.temperature) && rules.temperature > 0.0F) return {};
  return policy_error(std::string(path) + ".temperature", rules.temperature, "; expected a number above 0");
}

Status check_debounce(const Debounce& debounce) {
  Q3G_TRY(check_choice("debounce.rule", debounce.rule, RunRule::report));
  Q3G_TRY(check_choice("debounce.end_of_turn", debounce.end_of_turn, EndOfTurn::count_open_run));
  if (debounce.consecutive_tokens < 1)
    return policy_error("debounce.consecutive_tokens", debounce.consecutive_tokens, "; expected 1 or more");
  if (debounce.release_tokens < 0)
    return policy_error("debounce.release_tokens", debounce.release_tokens, "; expected 0 or more");
  return check_probability("debounce.release_threshold", debounce.release_threshold);
}

}  // namespace

Status check_spec(const PolicySpec& spec) {
  Q3G_TRY(check_label("name", spec.name, kMaxNameBytes));
  Q3G_TRY(check_label("version", spec.version, kMaxVersionBytes));
  const PolicyRules& rules = spec.rules;
  Q3G_TRY(check_choice("mode", rules.mode, Mode::loose));
  Q3G_TRY(check_role("prompt", rules.prompt));
  Q3G_TRY(check_role("response", rules.response));
  Q3G_TRY(check_debounce(rules.debounce));
  Q3G_TRY(check_choice("unjudged", rules.unjudged, Unjudged::block));
  Q3G_TRY(check_choice("context", rules.context, ContextPolicy::slide));
  Q3G_TRY(check_choice("long_text", rules.long_text, LongText::windows));
  Q3G_TRY(check_choice("dropped_messages", rules.dropped_messages, DroppedMessages::reject));
  if (rules.window_overlap_tokens < 0)
    return policy_error("window_overlap_tokens", rules.window_overlap_tokens, "; expected 0 or more");
  return {};
}

}  // namespace qwen3guard::detail
