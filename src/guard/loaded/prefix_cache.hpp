// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_CACHE_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_CACHE_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <span>
#include <vector>

#include "guard/loaded/prefix_blob.hpp"
#include "model/kv_cache.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "util/mutex.hpp"

namespace qwen3guard::detail {

/// Keys and values that Gen calls begin with. Pinned for good: the constant beginning of the two kinds of
/// prompt, that which judges a user's message and that which judges an assistant's. Kept as long as there is
/// room: the conversations of the last calls, so that one which goes on is not computed again. Calls share
/// the pages with what is here. Thread-safe, but for pin().
class PrefixCache {
 public:
  /// budget_tokens: what the kept conversations may have together; 0: none are kept.
  explicit PrefixCache(std::int32_t budget_tokens) noexcept
      : budget_tokens_(budget_tokens > 0 ? static_cast<std::size_t>(budget_tokens) : 0) {}

  /// What a call begins with.
  struct Shared {
    std::size_t n_tokens = 0;  ///< that its cache holds
    std::size_t n_cached = 0;  ///< how many of them were there before the call
  };

  /// Pins what was computed before (a packed file's). last_role: whose message is judged. Before any call.
  void pin(Role last_role, KeptPrefix prefix);

  /// Makes the empty `cache` share the longest pinned beginning of `ids`, at most all but the last of them,
  /// which has to be computed for its logits. When nothing is pinned yet, what compute() returns is. Errors:
  /// those of compute(). Throws std::bad_alloc.
  [[nodiscard]] Result<Shared> share_pinned(Role last_role, std::span<const TokenId> ids,
                                            const std::function<Result<KeptPrefix>()>& compute,
                                            KvCache& cache);

  /// After share_pinned(), when a kept conversation has at least kMinTokens more of `ids`: makes the cache
  /// share that. Forgets the oldest conversations until a call of n_needed tokens fits the budget beside the
  /// others (other calls at the same time are not counted, and a call always runs), and gives their memory to
  /// the cache. Throws std::bad_alloc.
  void share_kept(std::span<const TokenId> ids, std::size_t n_needed, KvCache& cache, Shared& shared);

  /// Keeps the first ids.size() tokens of `cache`, unless the budget is too small for them or too few are
  /// beyond the pinned ones. Throws std::bad_alloc; then nothing is kept.
  void keep(Role last_role, std::vector<TokenId> ids, const KvCache& cache);

 private:
  /// What is shared must be worth it: another cut of the same text rounds differently, so that below this,
  /// equal calls give equal bits whatever was called before.
  static constexpr std::size_t kMinTokens = 64;

  struct Pinned {
    Mutex mutex;  // guards the pointer; what it points to is immutable
    std::shared_ptr<const KeptPrefix> prefix;
  };
  [[nodiscard]] Pinned& pinned(Role last_role) noexcept { return pinned_[last_role == Role::user ? 0 : 1]; }
  /// Forgets the oldest until n_tokens more fit. heir: gets their memory; may be null.
  void make_room(std::size_t n_tokens, KvCache* heir);

  std::array<Pinned, 2> pinned_;
  const std::size_t budget_tokens_;
  Mutex mutex_;                 // guards the kept ones
  std::list<KeptPrefix> kept_;  // the oldest first
  std::size_t n_kept_tokens_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_PREFIX_CACHE_HPP
