// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/request_in.hpp"

#include <algorithm>
#include <array>

#include "server/doors/request_json.hpp"
#include "wire/conversation_in.hpp"
#include "wire/fields_in.hpp"

namespace qwen3guard::server {
namespace {

using wire::JsonValue;

constexpr int kMaxChoices = 128;

/// What may stand beside the messages: numbers and switches, and texts that the application writes, not the
/// person at it.
constexpr std::array<std::string_view, 20> kApplicationFields = {"messages",
                                                                 "model",
                                                                 "tools",
                                                                 "tool_choice",
                                                                 "functions",
                                                                 "function_call",
                                                                 "response_format",
                                                                 "stop",
                                                                 "stream_options",
                                                                 "logit_bias",
                                                                 "reasoning_effort",
                                                                 "reasoning",
                                                                 "verbosity",
                                                                 "service_tier",
                                                                 "user",
                                                                 "safety_identifier",
                                                                 "prompt_cache_key",
                                                                 "prompt_cache_retention",
                                                                 "metadata",
                                                                 "modalities"};

/// What a tool says stands behind an assistant's message. Anywhere else it would be a turn that parts the
/// user's messages, of which those in front of it would pass for answered.
void refuse_stray_tools(const std::vector<Message>& messages) {
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (messages[i].role != Role::tool) continue;
    if (i == 0 || (messages[i - 1].role != Role::assistant && messages[i - 1].role != Role::tool))
      wire::fail(wire::index("messages", i),
                 "a tool's; expected it behind an assistant's message, whose call it answers");
  }
}

}  // namespace

ChatRequest read_chat_request(const JsonValue& body) {
  ChatRequest out;
  const auto model = optional_text(body, "model");
  if (!model) throw BadRequestError("model: missing; expected a model's name", "model");
  out.model = *model;
  out.is_streamed = optional_flag(body, "stream");
  out.n_choices = static_cast<int>(optional_integer(body, "n", 1, kMaxChoices).value_or(1));
  const auto options = body.find("stream_options");
  if (options && options->kind() == JsonValue::Kind::object)
    out.includes_usage = optional_flag(*options, "include_usage");
  return out;
}

ChatMessages read_chat_messages(const JsonValue& body) {
  for (const auto& field : body.members()) {
    if (std::find(kApplicationFields.begin(), kApplicationFields.end(), field.key) ==
        kApplicationFields.end())
      wire::pass_over(field, "");
  }
  ChatMessages out;
  out.messages = wire::read_conversation(body, InvalidUtf8::reject);
  refuse_stray_tools(out.messages);
  if (!out.messages.empty() && out.messages.back().role == Role::assistant)
    wire::fail(wire::index("messages", out.messages.size() - 1),
               "an assistant's; expected the last message to be one that the model answers");
  const auto last = std::find_if(out.messages.rbegin(), out.messages.rend(),
                                 [](const Message& message) { return message.role == Role::user; });
  if (last == out.messages.rend())
    wire::fail("messages", "none of them is the user's, so there is nothing to judge");
  out.i_prompt = static_cast<std::size_t>(out.messages.rend() - last) - 1;
  // A user who speaks twice is judged twice: else a harmless message would hide the one in front of it.
  for (std::size_t i = out.i_first_prompt = out.i_prompt; i > 0; --i) {
    const Role before = out.messages[i - 1].role;
    if (before != Role::user && before != Role::system) break;
    if (before == Role::user) out.i_first_prompt = i - 1;
  }
  return out;
}

}  // namespace qwen3guard::server
