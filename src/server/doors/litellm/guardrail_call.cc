// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/guardrail_call.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <set>
#include <string_view>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "server/doors/proxy/argument_text.hpp"
#include "server/doors/request_json.hpp"
#include "wire/fields_in.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::server {
namespace {

using wire::JsonValue;
using Kind = JsonValue::Kind;

/// What is read, or says nothing of the conversation.
constexpr std::array<std::string_view, 12> kKnownMembers = {
    "input_type", "litellm_call_id", "litellm_trace_id", "structured_messages", "images",     "tools",
    "texts",      "request_data",    "request_headers",  "litellm_version",     "tool_calls", "model"};

/// More than fit any context, as each has marks around it; an empty message costs memory, too.
constexpr std::size_t kMaxMessages = 4096;

/// A setting that a client can slip in would be one that it can weaken the guard with.
void refuse_unknown(const JsonValue& body) {
  for (const auto& member : body.members()) {
    if (std::find(kKnownMembers.begin(), kKnownMembers.end(), member.key) != kKnownMembers.end()) continue;
    if (member.key == "additional_provider_specific_params" && member.value.kind() == Kind::object &&
        !member.value.members().empty())
      throw BadRequestError(
          "additional_provider_specific_params: clients may set these; expected none, and settings as "
          "headers",
          member.key);
    wire::pass_over(member, "");
  }
}

void refuse_pictures(const JsonValue& body) {
  if (!optional_array(body, "images").empty())
    throw BadRequestError("images: pictures cannot be judged; expected text alone", "images");
}

std::vector<std::string> read_texts(const JsonValue& body) {
  std::vector<std::string> out;
  for (const JsonValue& item : optional_array(body, "texts"))
    out.push_back(wire::read_text(item, wire::index("texts", out.size()), InvalidUtf8::reject));
  return out;
}

void check_number(std::size_t n, std::size_t max, const char* key) {
  if (n > max)
    throw BadRequestError(std::string(key) + ": " + std::to_string(n) +
                              " of them to judge; expected at most " + std::to_string(max),
                          key);
}

/// The texts of messages, as the gateway takes them out.
std::set<std::string> texts_in(const std::vector<JsonValue>& messages) {
  std::set<std::string> out;
  for (const JsonValue& message : messages) {
    const auto content = message.find("content");
    if (!content) continue;
    if (content->kind() == Kind::string) out.insert(content->text());
    if (content->kind() != Kind::array) continue;
    for (const JsonValue& part : content->items()) {
      const auto text = part.find("text");
      if (text && text->kind() == Kind::string) out.insert(text->text());
    }
  }
  return out;
}

void add_as_users(std::vector<std::string> texts, ChatMessages& asked) {
  std::vector<Message> messages;
  messages.reserve(texts.size());
  for (std::string& text : texts) messages.push_back({Role::user, std::move(text)});
  const auto n = messages.size();
  const auto place = asked.messages.begin() + static_cast<std::ptrdiff_t>(asked.i_first_prompt);
  asked.messages.insert(place, std::make_move_iterator(messages.begin()),
                        std::make_move_iterator(messages.end()));
  asked.i_prompt += n;
}

void read_request(const JsonValue& body, std::vector<std::string> texts, std::size_t max_texts,
                  GuardrailCall& call) {
  const std::vector<JsonValue> messages = optional_array(body, "structured_messages");
  call.has_messages = !messages.empty();
  check_number(messages.size(), kMaxMessages, "structured_messages");
  if (call.has_messages) {
    const std::string raw = "{\"messages\":" + std::string(body.find("structured_messages")->raw()) + "}";
    call.asked = read_chat_messages(JsonValue::parse(raw));
    const std::set<std::string> seen = texts_in(messages);
    std::erase_if(texts, [&](const std::string& text) { return text.empty() || seen.contains(text); });
    check_number(texts.size(), max_texts, "texts");
    return add_as_users(std::move(texts), call.asked);
  }
  if (!optional_array(body, "tool_calls").empty())
    throw BadRequestError("tool_calls: calls without the messages that they stand in cannot be judged",
                          "tool_calls");
  if (texts.empty()) throw BadRequestError("texts: nothing to judge", "texts");
  check_number(texts.size(), max_texts, "texts");
  add_as_users(std::move(texts), call.asked);
  call.asked.i_prompt -= 1;
}

std::string read_arguments(const JsonValue& arguments, const std::string& place) {
  if (arguments.kind() == Kind::null) return "";
  ArgumentText text;
  std::string out =
      text.take(arguments.kind() == Kind::string ? wire::read_text(arguments, place, InvalidUtf8::reject)
                                                 : std::string(arguments.raw()));
  return out += text.end();
}

/// As it is judged behind the proxy, too: the name, a line break, the arguments.
std::string read_call(const JsonValue& call, const std::string& place) {
  constexpr const char* kForm = R"({"type": "function", "function": {"name": "...", "arguments": "..."}})";
  std::optional<std::string> name;
  std::string arguments;
  for (const auto& field : wire::members_of(call, place, kForm)) {
    if (field.key == "type" && field.value.raw() == R"("function")") continue;
    if (field.key != "function") {
      wire::pass_over(field, place);
      continue;
    }
    const std::string inner = place + ".function";
    for (const auto& part : wire::members_of(field.value, inner, kForm)) {
      if (part.key == "name") {
        name = part.value.kind() == Kind::null
                   ? ""
                   : wire::read_text(part.value, inner + ".name", InvalidUtf8::reject);
      } else if (part.key == "arguments") {
        arguments = read_arguments(part.value, inner + ".arguments");
      } else {
        wire::pass_over(part, inner);
      }
    }
  }
  if (!name) wire::fail(place, std::string("no function's name; expected ") + kForm);
  return arguments.empty() ? *name : *name + "\n" + arguments;
}

void read_response(const JsonValue& body, std::vector<std::string> texts, std::size_t max_texts,
                   GuardrailCall& call) {
  if (!optional_array(body, "structured_messages").empty())
    throw BadRequestError("structured_messages: messages beside an answer are not known here",
                          "structured_messages");
  check_number(texts.size(), max_texts, "texts");
  for (std::string& text : texts) call.answers.push_back({std::move(text), false});
  const std::vector<JsonValue> calls = optional_array(body, "tool_calls");
  check_number(calls.size(), max_texts, "tool_calls");
  for (std::size_t i = 0; i < calls.size(); ++i) {
    call.answers.push_back({read_call(calls[i], wire::index("tool_calls", i)), true});
  }
  if (call.answers.empty()) throw BadRequestError("texts: nothing to judge", "texts");
}

/// The text of a message, or the last one of its parts.
std::string text_of(const JsonValue& content) {
  if (content.kind() == Kind::string) return content.text();
  if (content.kind() != Kind::array) return "";
  std::string out;
  for (const JsonValue& part : content.items()) {
    const auto text = part.find("text");
    if (text && text->kind() == Kind::string) out = text->text();
  }
  return out;
}

}  // namespace

LastText last_text(const JsonValue& body) {
  LastText out;
  const auto type = body.find("input_type");
  if (type && type->kind() == Kind::string && type->text() == "response") out.role = Role::assistant;
  for (const char* const key : {"texts", "structured_messages"}) {
    const auto list = body.find(key);
    if (!list || list->kind() != Kind::array) continue;
    for (const JsonValue& item : list->items()) {
      const auto content = item.find("content");
      std::string text = text_of(content ? *content : item);
      if (!text.empty() && !wire::find_ill_formed(text)) out.text = std::move(text);
    }
  }
  return out;
}

GuardrailCall read_guardrail_call(const JsonValue& body, std::size_t max_texts) {
  refuse_unknown(body);
  refuse_pictures(body);
  GuardrailCall call;
  const auto type = optional_text(body, "input_type");
  if (!type || (*type != "request" && *type != "response"))
    throw BadRequestError("input_type: " + (type ? quote(*type) : std::string("missing")) +
                              R"(; expected "request" or "response")",
                          "input_type");
  call.is_response = *type == "response";
  call.call_id = optional_text(body, "litellm_call_id").value_or("");
  const auto user = body.find("request_data");
  if (user && user->kind() == Kind::object)
    call.user = optional_text(*user, "user_api_key_hash").value_or("");
  call.has_tools = !optional_array(body, "tools").empty();
  std::vector<std::string> texts = read_texts(body);
  if (call.is_response) {
    read_response(body, std::move(texts), max_texts, call);
  } else {
    read_request(body, std::move(texts), max_texts, call);
  }
  return call;
}

}  // namespace qwen3guard::server
