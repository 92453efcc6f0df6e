// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/thinking.hpp"

#include <algorithm>

#include "guard/conversation/chat_template.hpp"

namespace qwen3guard::detail {
namespace {

bool is_line_breaks(std::string_view bytes) noexcept {
  return !bytes.empty() && bytes.find_first_not_of('\n') == std::string_view::npos;
}

std::string_view without_line_breaks(std::string_view text) noexcept {
  return text.substr(std::min(text.find_first_not_of('\n'), text.size()));
}

}  // namespace

ThinkTokens::ThinkTokens(const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) return;
  const auto begin = tokenizer->find_added(kThinkBegin), end = tokenizer->find_added(kThinkEnd);
  if (!begin || !end) return;
  begin_ = *begin;
  end_ = *end;
  is_in_text_ = !tokenizer->is_special(begin_) && !tokenizer->is_special(end_);
}

ThinkState ThinkTokens::next(ThinkState state, TokenId id, std::string_view bytes) const noexcept {
  if (begin_ < 0 || state == ThinkState::over) return ThinkState::over;
  if (state == ThinkState::inside) return id == end_ ? ThinkState::over : ThinkState::inside;
  if (id == begin_) return ThinkState::inside;
  return is_line_breaks(bytes) ? ThinkState::may_begin : ThinkState::over;
}

std::string_view ThinkTokens::answer(std::string_view text) const noexcept {
  if (!is_in_text_ || !without_line_breaks(text).starts_with(kThinkBegin)) return text;
  const std::size_t end = text.find(kThinkEnd);
  return end == std::string_view::npos ? text : without_line_breaks(text.substr(end + kThinkEnd.size()));
}

std::span<const TokenId> ThinkTokens::answer(std::span<const TokenId> ids, const Tokenizer& tokenizer) const {
  const auto bytes_of = [&](TokenId id) { return tokenizer.token_bytes(id).value_or(std::string_view()); };
  ThinkState state = ThinkState::may_begin;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    const ThinkState before = state;
    state = next(state, ids[i], bytes_of(ids[i]));
    if (state != ThinkState::over) continue;
    if (before != ThinkState::inside) return ids;
    std::span<const TokenId> answer = ids.subspan(i + 1);
    while (!answer.empty() && is_line_breaks(bytes_of(answer.front()))) answer = answer.subspan(1);
    return answer;
  }
  return ids;
}

}  // namespace qwen3guard::detail
