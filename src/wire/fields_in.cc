// SPDX-License-Identifier: Apache-2.0
#include "wire/fields_in.hpp"

#include <algorithm>
#include <array>

#include "qwen3guard/quote.hpp"
#include "wire/line_error.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::wire {
namespace {

using Kind = JsonValue::Kind;

/// Fields of messages, parts and calls that are no text of the conversation.
constexpr std::array<std::string_view, 9> kIgnoredFields = {
    "id", "name", "tool_call_id", "status", "created_at", "timestamp", "model", "metadata", "cache_control"};

std::string at(const std::string& where, const std::string& what) {
  return where.empty() ? what : where + ": " + what;
}

/// True when there is a string in it, other than a key, that is not empty.
bool may_hold_text(std::string_view json) {
  constexpr std::string_view kEmptyString = R"("")";
  while (!json.empty()) {
    const std::string_view token = take_token(json);
    if (!token.starts_with('"') || token == kEmptyString) continue;
    std::string_view rest = json;
    if (take_token(rest) != ":") return true;
  }
  return false;
}

}  // namespace

void fail(const std::string& where, const std::string& what) {
  throw LineError(ErrorCode::invalid_argument, at(where, what));
}

void check_utf8(std::string_view text, const std::string& where, InvalidUtf8 policy) {
  if (policy == InvalidUtf8::replace) return;
  if (const auto offset = find_ill_formed(text))
    throw LineError(ErrorCode::invalid_utf8,
                    at(where, "ill-formed UTF-8 at byte " + std::to_string(*offset)));
}

std::string index(const std::string& name, std::size_t i) { return name + "[" + std::to_string(i) + "]"; }

void pass_over(const JsonValue::Member& field, const std::string& where) {
  const bool is_known =
      std::find(kIgnoredFields.begin(), kIgnoredFields.end(), field.key) != kIgnoredFields.end();
  if (!is_known && may_hold_text(field.value.raw()))
    fail(where, "the field " + quote(field.key) + " is not known, and its text would not be judged");
}

std::vector<JsonValue::Member> members_of(const JsonValue& value, const std::string& where,
                                          const char* expected) {
  if (value.kind() != Kind::object)
    fail(where, std::string(to_string(value.kind())) + "; expected " + expected);
  return value.members();
}

std::string read_text(const JsonValue& value, const std::string& where, InvalidUtf8 policy) {
  if (value.kind() != Kind::string) fail(where, std::string(to_string(value.kind())) + "; expected a string");
  std::string text = value.text();
  check_utf8(text, where, policy);
  return text;
}

}  // namespace qwen3guard::wire
