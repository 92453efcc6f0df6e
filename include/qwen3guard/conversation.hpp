// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CONVERSATION_HPP
#define QWEN3GUARD_CONVERSATION_HPP

/// @file
/// Who said what.

#include <cstdint>
#include <string>

namespace qwen3guard {

/// Who speaks. The names are those of the chat template.
enum class Role : std::int32_t {
  system = 0,     ///< sets the scene; read, not judged
  user = 1,       ///< asks
  assistant = 2,  ///< answers
  /// A tool's answer to a call of the assistant's. For Stream checkpoints it stands in a user's turn, as the
  /// published Qwen3 template has it; the published Gen template leaves it out (Verdict::dropped_messages).
  tool = 3,
};

/// "system", "user", "assistant" or "tool". Static storage.
[[nodiscard]] const char* to_string(Role role) noexcept;

/// One turn of a conversation. `content` is UTF-8; control-token look-alikes inside it are plain text.
struct Message {
  Role role = Role::user;  ///< who wrote it
  std::string content;     ///< the text; owned
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_CONVERSATION_HPP
