// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_CONVERSATION_IN_HPP
#define QWEN3GUARD_SRC_WIRE_CONVERSATION_IN_HPP

#include <string>
#include <vector>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::wire {

/// The form of a line with a conversation, for messages.
inline constexpr const char* kConversationForm = R"({"messages": [{"role": "user", "content": "..."}]})";

/// The messages of {"messages": [...]}, in the form of the chat completions interface; docs/command_line.md
/// has all that is understood. What a message says beside its content becomes part of its text, as the
/// published Qwen3 chat template writes it. Nothing that may hold text is passed over: a part or a field that
/// is not understood is an error. Throws LineError with the place: invalid_argument; invalid_utf8 (only for
/// InvalidUtf8::reject; else ill-formed text is in the messages as it was).
[[nodiscard]] std::vector<Message> read_conversation(const JsonValue& line, InvalidUtf8 policy);

/// The line's "id" as JSON on one line of printable characters; "null" when there is none. Throws LineError:
/// invalid_utf8.
[[nodiscard]] std::string read_id(const JsonValue& line, InvalidUtf8 policy);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_CONVERSATION_IN_HPP
