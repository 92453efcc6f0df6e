// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_GEN_TEMPLATE_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_GEN_TEMPLATE_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "guard/conversation/markup.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// True for a message that the published Gen template leaves out (DroppedMessages). index: in the
/// conversation.
[[nodiscard]] bool is_dropped_by_gen(Role role, std::size_t index) noexcept;
/// Indices of those. Throws std::bad_alloc.
[[nodiscard]] std::vector<std::int32_t> dropped_by_gen(std::span<const Message> messages);
/// "tool messages" and so on; for error messages.
[[nodiscard]] std::string dropped_kind(Role role);
/// Errors: invalid_argument, when there is one and that is an error.
[[nodiscard]] Status check_dropped(std::span<const Message> messages, DroppedMessages policy);

/// The conversation as it stands in the Gen prompt ("USER: ...\n\nASSISTANT: ..."), by the published
/// template's rules. Source: chat template of the published Gen checkpoints. Errors: invalid_argument: no
/// message; the last one is a system message; the last one is an assistant message that comes first (the
/// template drops it, and nothing would be judged).
[[nodiscard]] Result<std::string> render_gen_conversation(std::span<const Message> messages);

/// The whole Gen prompt as text, control tokens included: byte-equal to the published template's output.
[[nodiscard]] Result<std::string> render_gen_prompt(std::span<const Message> messages);

/// The Gen prompt as token ids: the template's control tokens are ids, those in the messages plain text.
/// Errors: as render_gen_conversation(); bad_tokenizer (no <|im_start|>); invalid_utf8; context_full (the
/// messages have more than max_tokens tokens; the markup around them is not counted).
[[nodiscard]] Result<std::vector<TokenId>> encode_gen_prompt(const Tokenizer& tokenizer,
                                                             std::span<const Message> messages,
                                                             std::size_t max_tokens = kAnyTokens);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_GEN_TEMPLATE_HPP
