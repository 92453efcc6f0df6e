// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDRAIL_CALL_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDRAIL_CALL_HPP

#include <cstddef>
#include <string>
#include <vector>

#include "server/doors/proxy/request_in.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::server {

/// What the model behind the gateway has written so far: one choice's text, or one of its tool calls.
struct AnswerText {
  std::string text;
  bool is_call = false;  ///< the function's name, a line break, and its arguments
};

/// What LiteLLM asks its guardrail. A plain value.
struct GuardrailCall {
  bool is_response = false;
  std::string call_id;  ///< empty: none, and so nothing can be remembered for it
  std::string user;     ///< the digest of the user's key at the gateway
  bool has_tools = false;
  bool has_messages = false;        ///< the conversation came as messages, not as bare texts
  ChatMessages asked;               ///< of a request
  std::vector<AnswerText> answers;  ///< of a response
};

/// Reads the body of a request to the guardrail. Throws BadRequestError, wire::LineError (the place, and what
/// was expected): whatever cannot be judged is named and not passed over, such as pictures, and so are
/// members that are not known and hold text. Texts that stand beside the conversation, or in its place, are
/// users' messages. What was said before and by others is read as context; tools' definitions are not read.
[[nodiscard]] GuardrailCall read_guardrail_call(const wire::JsonValue& body, std::size_t max_texts);

/// What a request would have judged last: whose, and what. For the record of one that was not read.
struct LastText {
  Role role = Role::user;
  std::string text;  ///< empty: it has none that can be told
};

[[nodiscard]] LastText last_text(const wire::JsonValue& body);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_LITELLM_GUARDRAIL_CALL_HPP
