// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/request_in.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "wire/conversation_in.hpp"
#include "wire/fields_in.hpp"
#include "wire/json_text.hpp"
#include "wire/values_in.hpp"

namespace qwen3guard::server {
namespace {

using wire::JsonValue;
using Kind = JsonValue::Kind;

constexpr int kMaxChoices = 128;

/// What may stand beside the messages: numbers and switches, and texts that the application writes, not the
/// person at it.
constexpr std::array<std::string_view, 20> kApplicationFields = {
    "messages",    "model",          "tools",       "tool_choice",     "functions",
    "function_call", "response_format", "stop",      "stream_options",  "logit_bias",
    "reasoning_effort", "reasoning",  "verbosity",   "service_tier",    "user",
    "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "metadata", "modalities"};

/// Nothing for null.
std::optional<JsonValue> find(const JsonValue& request, const char* key) {
  auto value = request.find(key);
  return value && value->kind() != Kind::null ? value : std::nullopt;
}

bool read_switch(const JsonValue& request, const char* key, const char* where) {
  const auto value = find(request, key);
  return value && wire::read_boolean(*value, where);
}

JsonValue parse(std::string_view body) {
  const JsonValue request = JsonValue::parse(body);
  if (request.kind() != Kind::object)
    wire::fail("", std::string(to_string(request.kind())) + "; expected an object with model and messages");
  return request;
}

}  // namespace

ChatRequest read_chat_request(std::string_view body) {
  const JsonValue request = parse(body);
  ChatRequest out;
  const auto model = find(request, "model");
  if (!model || model->kind() != Kind::string) wire::fail("model", "missing; expected a model's name");
  out.model = wire::read_text(*model, "model", InvalidUtf8::reject);
  out.is_streamed = read_switch(request, "stream", "stream");
  if (const auto n = find(request, "n")) {
    out.n_choices = wire::read_integer(*n, "n");
    if (out.n_choices < 1 || out.n_choices > kMaxChoices)
      wire::fail("n", "expected 1 to " + std::to_string(kMaxChoices));
  }
  if (const auto options = find(request, "stream_options"))
    out.includes_usage = read_switch(*options, "include_usage", "stream_options.include_usage");
  return out;
}

ChatMessages read_chat_messages(std::string_view body) {
  const JsonValue request = parse(body);
  for (const auto& field : request.members()) {
    if (std::find(kApplicationFields.begin(), kApplicationFields.end(), field.key) == kApplicationFields.end())
      wire::pass_over(field, "");
  }
  ChatMessages out;
  out.messages = wire::read_conversation(request, InvalidUtf8::reject);
  if (!out.messages.empty() && out.messages.back().role == Role::assistant)
    wire::fail(wire::index("messages", out.messages.size() - 1),
               "an assistant's; expected the last message to be one that the model answers");
  const auto last = std::find_if(out.messages.rbegin(), out.messages.rend(),
                                 [](const Message& message) { return message.role == Role::user; });
  if (last == out.messages.rend()) wire::fail("messages", "none of them is the user's, so there is nothing to judge");
  out.i_prompt = static_cast<std::size_t>(out.messages.rend() - last) - 1;
  return out;
}

}  // namespace qwen3guard::server
