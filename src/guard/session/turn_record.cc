// SPDX-License-Identifier: Apache-2.0
#include "guard/session/turn_record.hpp"

#include <algorithm>

namespace qwen3guard::detail {

const TokenVerdict* TurnRecord::verdict(std::int32_t index) const noexcept {
  if (index < 0) return nullptr;
  const auto n_lead = static_cast<std::int32_t>(lead.size());
  if (index < kFirstIndex) {
    const std::int32_t i = index - (kFirstIndex - n_lead);
    return i >= 0 ? &lead[static_cast<std::size_t>(i)].verdict : nullptr;
  }
  const auto i = static_cast<std::size_t>(index - kFirstIndex);
  if (i >= n_slid && i - n_slid < tokens.size()) return &tokens[i - n_slid].verdict;
  for (const auto& [landmark, token] : landmarks) {
    if (landmark == index) return &token;
  }
  return nullptr;
}

void TurnRecord::slide(std::size_t n) {
  // What the tokens that stay can refer to: theirs begin where this one's state ends.
  const PolicyState state = tokens[n - 1].state;
  std::vector<std::pair<std::int32_t, TokenVerdict>> kept;
  for (const std::int32_t index : state.known_tokens()) {
    const TokenVerdict* token = index >= kFirstIndex ? verdict(index) : nullptr;
    const bool is_noted =
        std::any_of(kept.begin(), kept.end(), [&](const auto& landmark) { return landmark.first == index; });
    if (token != nullptr && !is_noted) kept.emplace_back(index, *token);
  }
  landmarks = std::move(kept);
  before = tokens[n - 1];
  tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(n));
  n_slid += n;
}

}  // namespace qwen3guard::detail
