// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/kept_conversations.hpp"

#include <algorithm>
#include <utility>

#include "guard/conversation/common_prefix.hpp"

namespace qwen3guard::detail {

void KeptConversations::make_room(std::size_t n_tokens, KvCache* heir) {
  while (!kept_.empty() && n_tokens_ + n_tokens > budget_tokens_) {
    n_tokens_ -= kept_.front().ids.size();
    if (heir != nullptr) heir->take_pages(std::move(kept_.front().cache));
    kept_.pop_front();
  }
}

void KeptConversations::share(std::span<const TokenId> ids, std::size_t n_known, std::size_t n_needed,
                              KvCache& cache) {
  if (budget_tokens_ == 0 || ids.empty()) return;
  const std::lock_guard lock(mutex_);
  auto best = kept_.end();
  std::size_t n_best = n_known + kMinTokens - 1;
  for (auto it = kept_.begin(); it != kept_.end(); ++it) {
    const std::size_t n = common_prefix(ids.first(ids.size() - 1), it->ids);
    if (n > n_best) {
      best = it;
      n_best = n;
    }
  }
  if (best != kept_.end()) {
    cache.share_prefix(best->cache, static_cast<std::int32_t>(n_best));
    kept_.splice(kept_.end(), kept_, best);
    n_needed -= std::min(n_needed, n_best);
  }
  make_room(n_needed, &cache);
}

void KeptConversations::keep(std::vector<TokenId> ids, std::size_t n_known, const KvCache& cache) {
  if (ids.size() > budget_tokens_ || ids.size() < n_known + kMinTokens) return;
  Kept entry{std::move(ids), KvCache()};
  entry.cache.share_prefix(cache, static_cast<std::int32_t>(entry.ids.size()));
  std::list<Kept> single;
  single.push_back(std::move(entry));
  const std::lock_guard lock(mutex_);
  make_room(single.back().ids.size(), nullptr);
  n_tokens_ += single.back().ids.size();
  kept_.splice(kept_.end(), single);
}

}  // namespace qwen3guard::detail
