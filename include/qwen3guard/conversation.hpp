// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CONVERSATION_HPP
#define QWEN3GUARD_CONVERSATION_HPP

/// @file
/// Who said what.

#include <cstdint>
#include <string>

namespace qwen3guard {

/// Who speaks. The names are those of the chat template.
enum class Role : std::int32_t { system = 0, user = 1, assistant = 2 };

/// "system", "user" or "assistant". Static storage.
[[nodiscard]] const char* to_string(Role role) noexcept;

/// One turn of a conversation. `content` is UTF-8; control-token look-alikes inside it are plain text.
struct Message {
  Role role = Role::user;  ///< who wrote it
  std::string content;     ///< the text; owned
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_CONVERSATION_HPP
