// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_QWEN_SCANNER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_QWEN_SCANNER_HPP

#include <cstddef>
#include <string_view>

namespace qwen3guard::detail {

/// The pre-tokeniser pattern of the Qwen2 and Qwen3 families.
inline constexpr std::string_view kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// End of the match of kQwenPattern at `pos`: what a backtracking engine finds with the Unicode classes of
/// the reference. The pattern matches at every position, so the matches leave no gaps. Linear over a whole
/// text. Precondition: `text` is UTF-8, pos < text.size() and a character boundary.
[[nodiscard]] std::size_t qwen_word_end(std::string_view text, std::size_t pos) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_QWEN_SCANNER_HPP
