// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_ANSWER_PARTS_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_ANSWER_PARTS_HPP

#include <string_view>

namespace qwen3guard::detail {

/// What the published Qwen3 chat template makes of an answer's text. Views into it.
struct AnswerParts {
  bool has_think_end = false;    ///< there is a </think>; without one all of the text is content
  std::string_view reasoning;    ///< before the first </think>, behind the last <think> there
  std::string_view content;      ///< behind the last </think>, without line breaks in front
  bool begins_thinking = false;  ///< the text begins with <think>, but for line breaks
  /// The template leaves out more than line breaks and one pair of tags: text before <think>, or between two
  /// blocks.
  bool loses_text = false;
};

/// Source: chat template of the published Qwen3 checkpoints.
[[nodiscard]] AnswerParts split_answer(std::string_view text) noexcept;

/// The text without line breaks in front.
[[nodiscard]] std::string_view without_line_breaks(std::string_view text) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_ANSWER_PARTS_HPP
