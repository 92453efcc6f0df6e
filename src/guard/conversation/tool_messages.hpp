// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_TOOL_MESSAGES_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_TOOL_MESSAGES_HPP

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/status.hpp"

/// Messages of tools in the chat markup. Source: chat template of the published Qwen3 checkpoints.
namespace qwen3guard::detail {

/// The conversation as the markup has it, which knows no turns of tools: messages of tools in a row are one
/// of the user, each between <tool_response> and </tool_response>. `messages` itself when there are none,
/// else a copy in `storage`, which must outlive the result. Throws std::bad_alloc.
[[nodiscard]] std::span<const Message> fold_tools(std::span<const Message> messages,
                                                  std::vector<Message>& storage);

/// Index of the (first) message that turn `turn` of the folded conversation was made from.
[[nodiscard]] std::size_t first_message_of(std::span<const Message> messages, std::size_t turn) noexcept;

/// Whether a user's text is to the template a tool's answer, which asks nothing: the assistant's messages
/// around it belong to one answer, and keep their thinking.
[[nodiscard]] bool is_tool_answer(std::string_view text) noexcept;

/// Errors: invalid_argument for the role of a turn that is not written live: a tool's.
[[nodiscard]] Status check_live_role(Role role);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_TOOL_MESSAGES_HPP
