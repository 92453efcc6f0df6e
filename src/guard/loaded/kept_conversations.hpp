// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_KEPT_CONVERSATIONS_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_KEPT_CONVERSATIONS_HPP

#include <cstddef>
#include <cstdint>
#include <list>
#include <mutex>
#include <span>
#include <vector>

#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// Keys and values of the last few Gen calls, so that a conversation that goes on is not computed again.
/// Calls share the pages with what is kept. Bounded: when a call begins, what is kept leaves room
/// for it in the budget (other calls at the same time are not counted), and a call always runs. Thread-safe.
class KeptConversations {
 public:
  explicit KeptConversations(std::int32_t budget_tokens) noexcept
      : budget_tokens_(budget_tokens > 0 ? static_cast<std::size_t>(budget_tokens) : 0) {}

  /// Makes the empty `cache` share the longest kept beginning of `ids` that saves at least kMinTokens over
  /// `n_known` tokens, and at most all but the last of `ids`, which has to be computed for its logits.
  /// Forgets the oldest conversations until n_needed tokens fit beside the others, and gives their memory to
  /// the cache. Throws std::bad_alloc.
  void share(std::span<const TokenId> ids, std::size_t n_known, std::size_t n_needed, KvCache& cache);

  /// Keeps the first ids.size() tokens of the cache, unless the budget is too small for them or too few are
  /// beyond the n_known ones. Throws std::bad_alloc; then nothing is kept.
  void keep(std::vector<TokenId> ids, std::size_t n_known, const KvCache& cache);

 private:
  /// What is shared must be worth it: another cut of the same text rounds differently, so that below this,
  /// equal calls give equal bits whatever was called before.
  static constexpr std::size_t kMinTokens = 64;

  struct Kept {
    std::vector<TokenId> ids;
    KvCache cache;
  };
  /// Forgets the oldest until n_tokens more fit.
  void make_room(std::size_t n_tokens, KvCache* heir);

  const std::size_t budget_tokens_;
  std::mutex mutex_;
  std::list<Kept> kept_;  // the oldest first
  std::size_t n_tokens_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_KEPT_CONVERSATIONS_HPP
