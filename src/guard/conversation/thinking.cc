// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/thinking.hpp"

#include <algorithm>

#include "guard/conversation/markup.hpp"

namespace qwen3guard::detail {
namespace {

bool is_only_line_breaks(std::string_view bytes) noexcept {
  return !bytes.empty() && bytes.find_first_not_of('\n') == std::string_view::npos;
}

}  // namespace

ThinkTokens::ThinkTokens(const Tokenizer* tokenizer) {
  if (tokenizer == nullptr) return;
  const auto begin = tokenizer->find_added(kThinkBegin), end = tokenizer->find_added(kThinkEnd);
  if (!begin || !end) return;
  begin_ = *begin;
  end_ = *end;
}

ThinkState ThinkTokens::next(ThinkState state, TokenId id, std::string_view bytes) const noexcept {
  if (begin_ < 0 || state == ThinkState::over) return ThinkState::over;
  if (state == ThinkState::inside) return id == end_ ? ThinkState::ended : ThinkState::inside;
  if (state == ThinkState::ended) return is_only_line_breaks(bytes) ? ThinkState::ended : ThinkState::over;
  if (id == begin_) return ThinkState::inside;
  return is_only_line_breaks(bytes) ? ThinkState::may_begin : ThinkState::over;
}

}  // namespace qwen3guard::detail
