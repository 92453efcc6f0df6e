// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_QWEN_SCANNER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_QWEN_SCANNER_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace qwen3guard::detail {

/// The pre-tokeniser pattern of the Qwen2 and Qwen3 families.
inline constexpr std::string_view kQwenPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// End of the match of kQwenPattern at `pos`: what a backtracking engine finds with the Unicode classes of
/// the reference. The pattern matches at every position, so the matches leave no gaps. Linear over a whole
/// text. Precondition: `text` is UTF-8, pos < text.size() and a character boundary.
[[nodiscard]] std::size_t qwen_word_end(std::string_view text, std::size_t pos) noexcept;

/// Where in a word of kQwenPattern a place inside it is: what the word goes on with depends on nothing else
/// of what lies before.
enum class WordPart : std::uint8_t {
  none,       ///< not inside a word, or it is not known
  letters,    ///< behind letters
  others,     ///< behind what is neither letter, number nor space
  line_ends,  ///< behind these and the line ends that follow them
  newlines,   ///< in white space up to its last line end
  spaces,     ///< in white space without a line end
  /// The same behind a line end: another one would make one word of all the white space.
  spaces_behind_newline,
};

/// The part that `pos` is in, of the word text[begin, end). The word has at least four characters before pos,
/// and begin < pos < end is a character boundary.
[[nodiscard]] WordPart qwen_word_part(std::string_view text, std::size_t begin, std::size_t pos,
                                      std::size_t end) noexcept;

/// The same when the word's beginning is not there: text[0] is in `part` of it, and 0 < pos < end.
[[nodiscard]] WordPart qwen_word_part(std::string_view text, WordPart part, std::size_t pos,
                                      std::size_t end) noexcept;

/// End of the word that text[0] is in this part of (`spaces`, `spaces_behind_newline`: and text[0] is such a
/// space); it may be 0. Nothing when the word has to be looked at from its beginning.
[[nodiscard]] std::optional<std::size_t> qwen_word_rest_end(std::string_view text, WordPart part) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_QWEN_SCANNER_HPP
