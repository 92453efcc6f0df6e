// SPDX-License-Identifier: Apache-2.0
#include "model/kv_cache.hpp"

#include <algorithm>
#include <utility>

namespace qwen3guard::detail {
void KvCache::truncate(std::size_t n) noexcept {
  n_tokens_ = n;
  while (!segments_.empty() && segments_.back().begin >= n) {
    // A page that others read is left to them; a poisoned one, and one for which the list would have to grow,
    // is freed.
    const KvPagePtr& page = segments_.back().page;
    if (!page.is_shared() && !page->is_read_only() && !page->is_poisoned() &&
        spare_.size() < spare_.capacity()) {
      spare_.push_back(std::move(segments_.back().page));
    }
    segments_.pop_back();
  }
}

void KvCache::share_prefix(const KvCache& other, std::size_t n) {
  layout_ = other.layout_;
  std::vector<Segment> shared;
  for (const Segment& segment : other.segments_) {
    if (segment.begin >= n) break;
    shared.push_back(segment);
    shared.back().capacity = std::min(segment.capacity, n - segment.begin);
  }
  truncate(0);
  segments_ = std::move(shared);
  spare_.reserve(segments_.size());
  n_tokens_ = n;
}

void KvCache::map(const std::byte* bytes, std::size_t n, const std::shared_ptr<const void>& owner) {
  std::vector<Segment> mapped;
  for (std::size_t begin = 0; begin < n; begin += kKvPageTokens, bytes += layout_.page_bytes())
    mapped.push_back({KvPagePtr::make(bytes, owner), begin, std::min(kKvPageTokens, n - begin)});
  truncate(0);
  segments_ = std::move(mapped);
  n_tokens_ = n;
}

void KvCache::take_pages(KvCache&& other) {
  if (!(other.layout_ == layout_)) return;
  other.truncate(0);
  spare_.reserve(spare_.size() + other.spare_.size());
  for (KvPagePtr& page : other.spare_) spare_.push_back(std::move(page));
  other.spare_.clear();
}

void KvCache::prepare(std::size_t n) {
  const std::size_t end = n_tokens_ + n;
  if (!segments_.empty()) {
    Segment& last = segments_.back();
    // Where others hold the page too, or have written past our end before it was shared, a new one is begun,
    // or what little is in it is copied: so pages are at least half full, however often a cache is shared.
    if (last.page.is_shared() || last.page->is_read_only()) {
      // None when the page was prepared for tokens that did not come.
      const std::size_t n_used = n_tokens_ - std::min(n_tokens_, last.begin);
      if (n_used < kKvPageTokens / 2 && n > 0) {
        KvPagePtr copy = take_page();
        copy->copy_from(*last.page, layout_);
        last.page = std::move(copy);
        last.capacity = kKvPageTokens;
      } else {
        last.capacity = n_used;
      }
    } else {
      last.capacity = kKvPageTokens;
    }
  }
  std::size_t room = segments_.empty() ? 0 : segments_.back().begin + segments_.back().capacity;
  while (room < end) {
    segments_.reserve(segments_.size() + 1);
    segments_.push_back({take_page(), room, kKvPageTokens});
    room += kKvPageTokens;
  }
  // What a failed call has left behind the end.
  for (auto s = segments_.rbegin(); s != segments_.rend() && s->begin + kKvPageTokens > n_tokens_; ++s) {
    if (!s->page.is_shared() && !s->page->is_read_only())
      s->page->forget_values(layout_, n_tokens_ - std::min(n_tokens_, s->begin));
  }
}

KvPagePtr KvCache::take_page() {
  if (spare_.empty()) {
    spare_.reserve(segments_.size() + 2);
    return KvPagePtr::make(layout_, memory_);
  }
  KvPagePtr page = std::move(spare_.back());
  spare_.pop_back();
  return page;
}

const KvCache::Segment& KvCache::segment_of(std::size_t token) const noexcept {
  const auto after = std::upper_bound(segments_.begin(), segments_.end(), token,
                                      [](std::size_t t, const Segment& s) { return t < s.begin; });
  return *std::prev(after);
}

void KvCache::store(std::size_t layer, std::size_t kv_head, std::size_t token, const float* key,
                    const float* value, const KernelTable& kernels) noexcept {
  const Segment& segment = segment_of(token);
  segment.page->store(layout_, layer, kv_head, token - segment.begin, key, value, kernels);
}

std::int64_t KvCache::bytes_per_token(const ModelConfig& config, KvType type) noexcept {
  return static_cast<std::int64_t>(KvLayout(config, type).page_bytes() / kKvPageTokens);
}

}  // namespace qwen3guard::detail
