// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_KV_CACHE_HPP
#define QWEN3GUARD_SRC_MODEL_KV_CACHE_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "model/config.hpp"
#include "model/kv_page.hpp"

namespace qwen3guard::detail {

/// Keys (after norm and rotation) and values of one conversation, in pages that are allocated as it grows.
/// Caches share pages: one that starts from another's beginning reads the same memory, and goes on in pages
/// of its own. Pages that more than one cache holds are never written. Copying a cache is cheap and shares
/// everything. Thread-safety: none per cache; caches that share pages may be used by different threads.
class KvCache {
 public:
  /// A run of tokens in one page, from its slot 0 on.
  struct Segment {
    KvPagePtr page;
    std::size_t begin = 0;     ///< position of the first token
    std::size_t capacity = 0;  ///< slots that belong to this cache
  };

  KvCache() = default;
  /// Shares all pages with `other`; what it keeps in reserve stays its own.
  KvCache(const KvCache& other)
      : layout_(other.layout_),
        memory_(other.memory_),
        capacity_tokens_(other.capacity_tokens_),
        n_tokens_(other.n_tokens_),
        segments_(other.segments_) {}
  KvCache(KvCache&&) noexcept = default;
  KvCache& operator=(const KvCache& other) { return *this = KvCache(other); }
  KvCache& operator=(KvCache&&) noexcept = default;
  ~KvCache() = default;
  /// Allocates nothing yet.
  KvCache(const ModelConfig& config, std::size_t capacity_tokens, KvType type = KvType::f32,
          Memory memory = nullptr)
      : layout_(config, type), memory_(std::move(memory)), capacity_tokens_(capacity_tokens) {}

  [[nodiscard]] const KvLayout& layout() const noexcept { return layout_; }
  [[nodiscard]] std::size_t n_tokens() const noexcept { return n_tokens_; }
  [[nodiscard]] std::size_t capacity_tokens() const noexcept { return capacity_tokens_; }
  /// Another bound; below n_tokens() nothing more can be added.
  void set_capacity(std::size_t n) noexcept { capacity_tokens_ = n; }

  /// Forgets everything from token n on; its memory is kept for what comes next.
  /// Precondition: n <= n_tokens().
  void truncate(std::size_t n) noexcept;

  /// Replaces the contents by the first n tokens of `other` (same layout, unless this cache is empty and new)
  /// without copying them. Precondition: n <= other.n_tokens() and n <= capacity_tokens(). Throws
  /// std::bad_alloc.
  void share_prefix(const KvCache& other, std::size_t n);

  /// Replaces the contents by n tokens in whole pages at `bytes`, which `owner` keeps alive and nobody
  /// writes. Throws std::bad_alloc.
  void map(const std::byte* bytes, std::size_t n, const std::shared_ptr<const void>& owner);

  /// Makes room to write tokens [n_tokens(), n_tokens() + n). Throws std::bad_alloc; nothing is lost then.
  /// Precondition: they fit capacity_tokens().
  void prepare(std::size_t n);
  /// Marks n further tokens, which the caller has written, as present.
  void advance(std::size_t n) noexcept { n_tokens_ += n; }

  /// Writes the key and value, [head_dim] each, of a token that prepare() made room for.
  void store(std::size_t layer, std::size_t kv_head, std::size_t token, const float* key, const float* value,
             const KernelTable& kernels) noexcept;

  /// The pages in order. Tokens of segment i are [begin, begin + capacity), as far as they are written.
  [[nodiscard]] std::span<const Segment> segments() const noexcept { return segments_; }

  /// Bytes of all pages, shared ones counted in full.
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return (segments_.size() + spare_.size()) * layout_.page_bytes();
  }
  /// Frees the pages that truncate() kept, but for n.
  void trim_spare(std::size_t n) noexcept {
    while (spare_.size() > n) spare_.pop_back();
  }
  /// Takes over the memory of pages that nobody else holds, for what is written next. Does nothing when the
  /// layouts differ. Throws std::bad_alloc; nothing is taken then.
  void take_pages(KvCache&& other);

  /// Bytes that one token takes in a cache of this model.
  [[nodiscard]] static std::int64_t bytes_per_token(const ModelConfig& config,
                                                    KvType type = KvType::f32) noexcept;

 private:
  [[nodiscard]] const Segment& segment_of(std::size_t token) const noexcept;
  /// A page that is nobody else's.
  [[nodiscard]] KvPagePtr take_page();

  KvLayout layout_;
  Memory memory_;
  std::size_t capacity_tokens_ = 0, n_tokens_ = 0;
  std::vector<Segment> segments_;
  std::vector<KvPagePtr> spare_;  // owned by this cache alone
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_KV_CACHE_HPP
