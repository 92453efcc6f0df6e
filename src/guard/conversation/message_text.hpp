// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_MESSAGE_TEXT_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_MESSAGE_TEXT_HPP

#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// The messages with their text checked: `messages` itself when all of it is UTF-8, else
/// (InvalidUtf8::replace) a repaired copy in `storage`, which must outlive the result. Messages of more than
/// max_bytes (the last one: of max_last_bytes), which no context has room for, are not looked at. Errors
/// (InvalidUtf8::reject): invalid_utf8 with the message's index and the byte offset.
[[nodiscard]] Result<std::span<const Message>> checked_messages(
    std::span<const Message> messages, InvalidUtf8 policy, std::vector<Message>& storage,
    std::size_t max_bytes = std::numeric_limits<std::size_t>::max(),
    std::size_t max_last_bytes = std::numeric_limits<std::size_t>::max());

/// The same for one text that is whole, so that an incomplete last character is ill-formed, too.
/// Errors (InvalidUtf8::reject): invalid_utf8 with the byte offset.
[[nodiscard]] Status check_whole_text(std::string_view text, InvalidUtf8 policy);

/// Where to begin with the turns of a conversation that is restored: 0, but for ContextPolicy::slide when one
/// of them alone has more than max_tokens. Then those before the next user's, a system turn at the beginning
/// aside, would be forgotten as soon as that one begins, and they need not be read. Errors: context_full (one
/// is too long; with its index). Memory: as IncrementalEncoder::exceeds. Throws std::bad_alloc.
[[nodiscard]] Result<std::size_t> first_to_read(const Tokenizer& tokenizer, std::span<const Message> messages,
                                                const StreamOptions& options, std::size_t max_tokens);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_MESSAGE_TEXT_HPP
