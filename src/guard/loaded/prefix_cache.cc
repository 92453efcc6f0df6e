// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/prefix_cache.hpp"

#include <algorithm>
#include <utility>

#include "util/common_prefix.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// How many tokens a call of `ids` can share with `known`.
std::size_t shareable(std::span<const TokenId> ids, std::span<const TokenId> known) {
  return ids.empty() ? 0 : common_prefix(ids.first(ids.size() - 1), known);
}

}  // namespace

void PrefixCache::pin(Role last_role, KeptPrefix prefix) {
  pinned(last_role).prefix = std::make_shared<const KeptPrefix>(std::move(prefix));
}

Result<PrefixCache::Shared> PrefixCache::share_pinned(Role last_role, std::span<const TokenId> ids,
                                                      const std::function<Result<KeptPrefix>()>& compute,
                                                      KvCache& cache) {
  Pinned& slot = pinned(last_role);
  std::shared_ptr<const KeptPrefix> prefix;
  bool computed_now = false;
  {
    const std::lock_guard lock(slot.mutex);  // a second caller waits for the first one's: both need it
    if (slot.prefix == nullptr) {
      Q3G_ASSIGN(KeptPrefix computed, compute());
      slot.prefix = std::make_shared<const KeptPrefix>(std::move(computed));
      computed_now = true;
    }
    prefix = slot.prefix;
  }
  const std::size_t n = shareable(ids, prefix->ids);
  cache.share_prefix(prefix->cache, n);
  return Shared{.n_tokens = n, .n_cached = computed_now ? 0 : n};
}

void PrefixCache::make_room(std::size_t n_tokens, KvCache* heir) {
  while (!kept_.empty() && n_kept_tokens_ + n_tokens > budget_tokens_) {
    n_kept_tokens_ -= kept_.front().ids.size();
    if (heir != nullptr) heir->take_pages(std::move(kept_.front().cache));
    kept_.pop_front();
  }
}

void PrefixCache::share_kept(std::span<const TokenId> ids, std::size_t n_needed, KvCache& cache,
                             Shared& shared) {
  if (budget_tokens_ == 0) return;
  n_needed -= std::min(n_needed, shared.n_tokens);
  const std::lock_guard lock(mutex_);
  auto best = kept_.end();
  std::size_t n_best = shared.n_tokens + kMinTokens - 1;
  for (auto it = kept_.begin(); it != kept_.end(); ++it) {
    const std::size_t n = shareable(ids, it->ids);
    if (n > n_best) {
      best = it;
      n_best = n;
    }
  }
  if (best != kept_.end()) {
    cache.share_prefix(best->cache, n_best);
    shared.n_tokens = shared.n_cached = n_best;
    kept_.splice(kept_.end(), kept_, best);
    n_needed -= std::min(n_needed, n_best);
  }
  make_room(n_needed, &cache);
}

void PrefixCache::keep(Role last_role, std::vector<TokenId> ids, const KvCache& cache) {
  if (ids.size() > budget_tokens_) return;
  std::shared_ptr<const KeptPrefix> prefix;
  {
    const std::lock_guard lock(pinned(last_role).mutex);
    prefix = pinned(last_role).prefix;
  }
  if (ids.size() < (prefix != nullptr ? shareable(ids, prefix->ids) : 0) + kMinTokens) return;
  std::list<KeptPrefix> single(1);
  single.back().ids = std::move(ids);
  const std::size_t n = single.back().ids.size();
  single.back().cache.share_prefix(cache, n);
  const std::lock_guard lock(mutex_);
  make_room(n, nullptr);
  n_kept_tokens_ += n;
  kept_.splice(kept_.end(), single);
}

}  // namespace qwen3guard::detail
