// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_SENTENCES_HPP
#define QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_SENTENCES_HPP

#include <cstddef>
#include <string_view>
#include <vector>

namespace qwen3guard::server {

/// A part of a text, in bytes, and where it lies in the text's UTF-16 form.
struct Sentence {
  std::size_t begin = 0, end = 0;
  std::size_t utf16_begin = 0, utf16_end = 0;  ///< in code units
};

/// At most so many sentences are told apart in a text: a reply is not to be a hundred times its request.
inline constexpr std::size_t kMaxSentences = 256;

/// A text in its sentences and lines, every byte in one of them, the space behind a sentence in that one.
/// Where there would be more than kMaxSentences, short ones are joined. One that is empty for an empty text.
/// text: UTF-8.
[[nodiscard]] std::vector<Sentence> sentences_of(std::string_view text);

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_DOORS_PERSPECTIVE_SENTENCES_HPP
