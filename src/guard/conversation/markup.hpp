// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_MARKUP_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_MARKUP_HPP

#include <cstddef>
#include <limits>
#include <span>
#include <string_view>
#include <vector>

#include "qwen3guard/conversation.hpp"
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
/// How many tokens at the beginning of a text's are spelled by its first n_bytes bytes, which normalisation
/// leaves as they are.
[[nodiscard]] std::size_t count_tokens_within(const Tokenizer& tokenizer, std::span<const TokenId> ids,
                                              std::size_t n_bytes) noexcept;
/// Looks through ids that a host pushes into a turn of `role` for control tokens (SpecialTokens), but for
/// those of thinking and tools, which are text whatever a file marks them.
/// <|im_end|> or <|endoftext|> as the last id of an assistant's turn is the end of its model's sequence; it
/// is taken off `ids` and returned, else -1. Errors: invalid_argument (any other one, with its index, unless
/// they are allowed).
[[nodiscard]] Result<TokenId> take_model_end(const Tokenizer& tokenizer, Role role, bool are_allowed,
                                             std::span<const TokenId>& ids);
/// Errors: bad_tokenizer when the control tokens of the markup are missing.
[[nodiscard]] Status check_markup_tokens(const Tokenizer& tokenizer);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_MARKUP_HPP
