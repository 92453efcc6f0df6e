// SPDX-License-Identifier: Apache-2.0
#include "wire/conversation_in.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "wire/escaped.hpp"
#include "wire/fields_in.hpp"
#include "wire/line_error.hpp"
#include "wire/tool_calls_in.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::wire {
namespace {

using Kind = JsonValue::Kind;

/// One element of a content's array.
std::string read_part(const JsonValue& part, const std::string& where, InvalidUtf8 policy) {
  constexpr const char* kForm = R"({"type": "text", "text": "..."})";
  if (part.kind() == Kind::string) return read_text(part, where, policy);
  const auto fields = members_of(part, where, kForm);
  const auto type = part.find("type");
  if (!type || type->kind() != Kind::string) fail(where, std::string("no \"type\"; expected ") + kForm);
  const std::string name = type->text();
  if (name != "text" && name != "input_text" && name != "output_text" && name != "refusal")
    fail(where, "a part of the type " + quote(name) + ", which cannot be judged; expected " + kForm);
  const char* const key = name == "refusal" ? "refusal" : "text";
  std::optional<std::string> text;
  for (const auto& field : fields) {
    if (field.key == key) {
      text = read_text(field.value, where + "." + key, policy);
    } else if (field.key != "type") {
      pass_over(field, where);
    }
  }
  if (!text) fail(where, std::string("no \"") + key + "\"; expected " + kForm);
  return *text;
}

/// A string, or parts, each on a line of its own as in the published servers; nothing for null and [].
std::optional<std::string> read_content(const JsonValue& content, const std::string& where,
                                        InvalidUtf8 policy) {
  if (content.kind() == Kind::null) return std::nullopt;
  if (content.kind() == Kind::string) return read_text(content, where, policy);
  if (content.kind() != Kind::array)
    fail(where, std::string(to_string(content.kind())) + "; expected a string, null or an array of parts");
  std::optional<std::string> out;
  std::size_t i = 0;
  for (const JsonValue& part : content.items()) {
    if (out) {
      *out += '\n';
    } else {
      out.emplace();
    }
    *out += read_part(part, index(where, i++), policy);
  }
  return out;
}

/// A string that may be null or missing.
std::string read_optional_text(const JsonValue& value, const std::string& where, InvalidUtf8 policy) {
  return value.kind() == Kind::null ? std::string() : read_text(value, where, policy);
}

Role read_role(const JsonValue& message, const std::string& where) {
  const auto role = message.find("role");
  if (!role || role->kind() != Kind::string)
    fail(where, R"(no "role"; expected {"role": "user", "content": "..."})");
  const std::string name = role->text();
  if (name == "developer") return Role::system;
  for (const Role known : {Role::system, Role::user, Role::assistant, Role::tool}) {
    if (name == to_string(known)) return known;
  }
  fail(where, "the role " + quote(name) + "; expected system, developer, user, assistant or tool");
}

std::string_view without_line_breaks_before(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of('\n'), text.size()));
  return text;
}

std::string_view without_line_breaks_around(std::string_view text) {
  text = without_line_breaks_before(text);
  return text.substr(0, text.find_last_not_of('\n') + 1);
}

/// What an assistant's message may have beside its content.
struct AssistantParts {
  std::string reasoning, refusal;
  std::vector<std::string> calls;
};

/// All that the message says, as the published template writes it.
std::string assistant_text(const std::optional<std::string>& content, const AssistantParts& parts) {
  std::string said = content.value_or("");
  if (!parts.refusal.empty()) said += (said.empty() ? "" : "\n") + parts.refusal;
  std::string out = said;
  if (!parts.reasoning.empty()) {
    out = "<think>\n";
    out += without_line_breaks_around(parts.reasoning);
    out += "\n</think>\n\n";
    out += without_line_breaks_before(said);
  }
  for (std::size_t i = 0; i < parts.calls.size(); ++i) {
    if (i > 0 || !said.empty()) out += '\n';
    out += parts.calls[i];
  }
  return out;
}

Message read_message(const JsonValue& value, const std::string& where, InvalidUtf8 policy) {
  const auto fields = members_of(value, where, R"({"role": "user", "content": "..."})");
  const Role role = read_role(value, where);
  const bool is_assistant = role == Role::assistant;
  std::optional<std::string> content;
  AssistantParts parts;
  bool has_content = false;
  for (const auto& field : fields) {
    const std::string place = where + "." + field.key;
    if (field.key == "role") continue;
    if (field.key == "content") {
      has_content = true;
      content = read_content(field.value, place, policy);
    } else if (is_assistant && field.key == "reasoning_content") {
      parts.reasoning = read_optional_text(field.value, place, policy);
    } else if (is_assistant && field.key == "refusal") {
      parts.refusal = read_optional_text(field.value, place, policy);
    } else if (is_assistant && field.key == "tool_calls") {
      parts.calls = read_calls(field.value, place, policy);
    } else if (field.key != "type" || field.value.raw() != R"("message")") {
      pass_over(field, where);
    }
  }
  const bool says_more = !parts.reasoning.empty() || !parts.refusal.empty() || !parts.calls.empty();
  // A tool may answer with nothing; of anybody else that is a mistake, and "" says that it is meant.
  if (!content && !says_more && !(role == Role::tool && has_content)) {
    fail(where + ".content", std::string(has_content ? "nothing to judge" : "missing") +
                                 "; expected a string or an array of text parts" +
                                 (is_assistant ? ", or tool_calls or a refusal" : ""));
  }
  if (is_assistant) return {role, assistant_text(content, parts)};
  return {role, std::move(content).value_or("")};
}

}  // namespace

std::vector<Message> read_conversation(const JsonValue& line, InvalidUtf8 policy) {
  const auto messages = line.find("messages");
  if (!messages || messages->kind() != Kind::array)
    fail("", std::string("no \"messages\" array; expected ") + kConversationForm);
  std::vector<Message> out;
  for (const JsonValue& message : messages->items())
    out.push_back(read_message(message, index("messages", out.size()), policy));
  return out;
}

std::string read_id(const JsonValue& line, InvalidUtf8 policy) {
  const auto id = line.find("id");
  if (!id) return "null";
  check_utf8(id->raw(), "id", policy);
  // Line breaks and tabs stand between tokens only; all else that is not printable stands in strings, where
  // an escape means the same.
  std::string raw = with_replacements(id->raw());
  std::replace_if(
      raw.begin(), raw.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20; }, ' ');
  return escaped(raw);
}

}  // namespace qwen3guard::wire
