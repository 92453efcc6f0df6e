// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PROXY_REQUEST_IN_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PROXY_REQUEST_IN_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "qwen3guard/conversation.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {

/// What a chat completion's request asks for, as far as the proxy must know.
struct ChatRequest {
  std::string model;
  int n_choices = 1;
  bool is_streamed = false, includes_usage = false;
};

/// The request's fields but for its messages. Throws BadRequestError, wire::LineError (the field, and what
/// was expected).
[[nodiscard]] ChatRequest read_chat_request(const wire::JsonValue& body);

/// What the request would have a model read.
struct ChatMessages {
  std::vector<Message> messages;
  /// What is judged: the user's messages from the first one since anybody else spoke to the last one. @{
  std::size_t i_first_prompt = 0, i_prompt = 0;  /// @}
};

/// Throws as above. Nothing that may hold text of the conversation is passed over: a part or a member that is
/// not known is an error. Text that is the application's is known and not judged: tools, response_format,
/// stop and the like. Errors, too: no message of the user's; the last message an assistant's.
[[nodiscard]] ChatMessages read_chat_messages(const wire::JsonValue& body);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PROXY_REQUEST_IN_HPP
