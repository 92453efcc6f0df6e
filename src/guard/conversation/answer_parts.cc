// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/answer_parts.hpp"

#include <algorithm>

#include "guard/conversation/markup.hpp"

namespace qwen3guard::detail {
namespace {

std::string_view without_last_line_breaks(std::string_view text) noexcept {
  while (text.ends_with('\n')) text.remove_suffix(1);
  return text;
}

bool is_line_breaks(std::string_view text) noexcept {
  return text.find_first_not_of('\n') == std::string_view::npos;
}

}  // namespace

std::string_view without_line_breaks(std::string_view text) noexcept {
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

AnswerParts split_answer(std::string_view text) noexcept {
  AnswerParts out;
  out.begins_thinking = without_line_breaks(text).starts_with(kThinkBegin);
  const std::size_t first_end = text.find(kThinkEnd);
  if (first_end == std::string_view::npos) {
    out.content = text;
    return out;
  }
  out.has_think_end = true;
  const std::size_t last_end = text.rfind(kThinkEnd);
  std::string_view before = without_last_line_breaks(text.substr(0, first_end));
  if (const std::size_t begin = before.rfind(kThinkBegin); begin != std::string_view::npos) {
    out.loses_text = !is_line_breaks(before.substr(0, begin));
    before.remove_prefix(begin + kThinkBegin.size());
  }
  out.reasoning = without_line_breaks(before);
  if (last_end > first_end) {
    const std::size_t behind = first_end + kThinkEnd.size();
    out.loses_text =
        out.loses_text || last_end < behind || !is_line_breaks(text.substr(behind, last_end - behind));
  }
  out.content = without_line_breaks(text.substr(last_end + kThinkEnd.size()));
  return out;
}

}  // namespace qwen3guard::detail
