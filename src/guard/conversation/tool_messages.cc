// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/tool_messages.hpp"

#include <algorithm>
#include <string_view>

namespace qwen3guard::detail {
namespace {

constexpr std::string_view kResponseBegin = "<tool_response>", kResponseEnd = "</tool_response>";

}  // namespace

std::span<const Message> fold_tools(std::span<const Message> messages, std::vector<Message>& storage) {
  const auto is_tool = [](const Message& message) { return message.role == Role::tool; };
  if (std::none_of(messages.begin(), messages.end(), is_tool)) return messages;
  storage.clear();
  for (std::size_t i = 0; i < messages.size(); ++i) {
    if (!is_tool(messages[i])) {
      storage.push_back(messages[i]);
      continue;
    }
    if (i == 0 || !is_tool(messages[i - 1])) {
      storage.push_back({Role::user, ""});
    } else {
      storage.back().content += '\n';
    }
    std::string& text = storage.back().content;
    text.append(kResponseBegin).append("\n").append(messages[i].content).append("\n").append(kResponseEnd);
  }
  return storage;
}

std::size_t first_message_of(std::span<const Message> messages, std::size_t turn) noexcept {
  std::size_t n_turns = 0, i = 0;
  for (; i < messages.size(); ++i) {
    const bool is_joined = i > 0 && messages[i].role == Role::tool && messages[i - 1].role == Role::tool;
    if (!is_joined && n_turns++ == turn) break;
  }
  return i;
}

bool is_tool_answer(std::string_view text) noexcept {
  return text.starts_with(kResponseBegin) && text.ends_with(kResponseEnd);
}

Status check_live_role(Role role) {
  if (role != Role::tool) return {};
  return Error{ErrorCode::invalid_argument,
               "stream: a tool's turn is not written live; expected restore(), which takes its message"};
}

}  // namespace qwen3guard::detail
