// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_SHARED_BEGINNING_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_SHARED_BEGINNING_HPP

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>
#include <vector>

#include "guard/loaded/prefix_cache.hpp"
#include "model/kv_cache.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "util/common_prefix.hpp"

namespace qwen3guard::detail {

/// What the windows of one message begin with: the conversation before it, read once. Not thread-safe.
class SharedBeginning {
 public:
  /// Nothing.
  SharedBeginning() = default;
  /// cache: holds `ids`. n_cached: so many of them were there before.
  SharedBeginning(std::vector<TokenId> ids, KvCache cache, std::size_t n_cached)
      : ids_(std::move(ids)), cache_(std::move(cache)), n_cached_(n_cached) {}

  /// Makes `cache` share what `ids` have in common with it, at most the first n_most, when that is more than
  /// it holds. `shared` says what it holds, and then does. What was read here counts as cached from the
  /// second time on. Throws std::bad_alloc.
  void share(std::span<const TokenId> ids, std::size_t n_most, KvCache& cache, PrefixCache::Shared& shared) {
    const std::size_t n = std::min(common_prefix(ids, ids_), n_most);
    if (n <= shared.n_tokens) return;
    cache.share_prefix(cache_, n);
    shared = {n, std::min(n, n_cached_)};
    n_cached_ = ids_.size();
  }

 private:
  std::vector<TokenId> ids_;
  KvCache cache_;
  std::size_t n_cached_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_SHARED_BEGINNING_HPP
