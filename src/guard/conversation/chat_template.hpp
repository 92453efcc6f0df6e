// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_CHAT_TEMPLATE_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_CHAT_TEMPLATE_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

inline constexpr std::string_view kImStart = "<|im_start|>";
inline constexpr std::string_view kImEnd = "<|im_end|>";
inline constexpr std::string_view kEndOfText = "<|endoftext|>";
inline constexpr std::string_view kThinkBegin = "<think>";
inline constexpr std::string_view kThinkEnd = "</think>";
/// What opens a response that does not think.
inline constexpr std::string_view kNoThinking = "<think>\n\n</think>\n\n";

/// Appends the ids of markup, in which control tokens are recognised. Errors: as Tokenizer::encode.
[[nodiscard]] Status append_markup(const Tokenizer& tokenizer, std::string_view text,
                                   std::vector<TokenId>& ids);
/// No bound on the tokens of a prompt.
inline constexpr std::size_t kAnyTokens = std::numeric_limits<std::size_t>::max();

/// Appends the ids of a message's text, in which they are not. Errors: as Tokenizer::encode; context_full
/// when there are more than max_tokens `ids` then, found out without more memory than these take.
[[nodiscard]] Status append_text(const Tokenizer& tokenizer, std::string_view text, std::vector<TokenId>& ids,
                                 std::size_t max_tokens = kAnyTokens);
/// Looks through ids that a host pushes into a turn of `role` for control tokens (SpecialTokens), but for
/// those of thinking and tools, which are text whatever a file marks them.
/// <|im_end|> or <|endoftext|> as the last id of an assistant's turn is the end of its model's sequence; it
/// is taken off `ids` and returned, else -1. Errors: invalid_argument (any other one, with its index, unless
/// they are allowed).
[[nodiscard]] Result<TokenId> take_model_end(const Tokenizer& tokenizer, Role role, bool are_allowed,
                                             std::span<const TokenId>& ids);
/// Errors: bad_tokenizer when the control tokens of the markup are missing.
[[nodiscard]] Status check_markup_tokens(const Tokenizer& tokenizer);

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

/// A conversation rendered for a Stream checkpoint. When the last message is the user's, the ids end with the
/// markup that opens the assistant's turn, thinking off. When it is the assistant's, they end with the
/// response's last token (its turn is left open) and [response_begin, ids.size()) is the response.
struct StreamPrompt {
  std::vector<TokenId> ids;
  std::size_t query_end = 0;  ///< index of the <|im_end|> that closes the last user turn
  std::size_t response_begin = 0;
};

/// Source: chat template of the published Qwen3 checkpoints with thinking off. Messages of tools are turns of
/// the user's (fold_tools()); earlier answers carry no thinking, but for those that calls of tools have
/// interrupted. A response that begins with <think> has no empty think block before it.
/// Errors: invalid_argument: no message; no user message; a system or tool message last; an assistant message
/// last that no user message precedes; bad_tokenizer; invalid_utf8; context_full (as
/// encode_gen_prompt).
[[nodiscard]] Result<StreamPrompt> encode_stream_prompt(const Tokenizer& tokenizer,
                                                        std::span<const Message> messages,
                                                        std::size_t max_tokens = kAnyTokens);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_CHAT_TEMPLATE_HPP
