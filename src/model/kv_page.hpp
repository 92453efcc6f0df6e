// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_KV_PAGE_HPP
#define QWEN3GUARD_SRC_MODEL_KV_PAGE_HPP

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <utility>

#include "kernels/kernel_table.hpp"
#include "model/config.hpp"
#include "util/aligned_buffer.hpp"

namespace qwen3guard::detail {

/// How keys and values are kept: as computed, or in 16 bits in the packed layout, which attention multiplies
/// with the same kernels as the weights.
enum class KvType : std::int32_t { f32 = 0, bf16 = 1, f16 = 2 };

/// What depends on the type.
struct KvFormat {
  const char* name;
  std::size_t value_bytes;
  /// Packed: how values are rounded, and the product that takes them.
  void (*KernelTable::*round)(std::uint16_t* y, const float* x, std::size_t n) noexcept;
  void (*KernelTable::*gemm)(const PackedArgs& args) noexcept;
  KvType type;
  std::uint16_t infinity;  ///< packed: the bits of infinity; magnitudes from here on are not finite
  bool is_packed;
  bool rounds_queries;  ///< the product takes queries and the softmax's weights rounded alike; else float32
};

/// By the value of KvType.
inline constexpr KvFormat kKvFormats[] = {
    {.name = "fp32",
     .value_bytes = 4,
     .round = nullptr,
     .gemm = nullptr,
     .type = KvType::f32,
     .infinity = 0,
     .is_packed = false,
     .rounds_queries = false},
    {.name = "bf16",
     .value_bytes = 2,
     .round = &KernelTable::round_bf16,
     .gemm = &KernelTable::gemm_bf16,
     .type = KvType::bf16,
     .infinity = 0x7f80,
     .is_packed = true,
     .rounds_queries = true},
    {.name = "fp16",
     .value_bytes = 2,
     .round = &KernelTable::round_f16,
     .gemm = &KernelTable::gemm_f16,
     .type = KvType::f16,
     .infinity = 0x7c00,
     .is_packed = true,
     .rounds_queries = false},
};
static_assert([] {
  for (std::size_t i = 0; i < std::size(kKvFormats); ++i) {
    if (static_cast<std::size_t>(kKvFormats[i].type) != i) return false;
  }
  return true;
}());
[[nodiscard]] constexpr const KvFormat& kv_format(KvType type) noexcept {
  return kKvFormats[static_cast<std::size_t>(type)];
}

/// Tokens of one page: whole tiles of every kernel, and little waste at a conversation's end.
inline constexpr std::size_t kKvPageTokens = 64;

/// Sizes of the blocks of a page: one block of keys and one of values per layer and key-value head.
struct KvLayout {
  KvType type = KvType::f32;
  std::size_t n_layers = 0, n_kv_heads = 0, head_dim = 0;

  KvLayout() = default;
  KvLayout(const ModelConfig& config, KvType kv_type)
      : type(kv_type), n_layers(config.n_layers), n_kv_heads(config.n_kv_heads), head_dim(config.head_dim) {}

  [[nodiscard]] const KvFormat& format() const noexcept { return kv_format(type); }
  /// head_dim, padded in packed pages to what the products take: columns of keys, rows of values.
  [[nodiscard]] std::size_t padded_dim() const noexcept {
    return format().is_packed ? (head_dim + 31) / 32 * 32 : head_dim;
  }
  [[nodiscard]] std::size_t block_bytes() const noexcept {
    return kKvPageTokens * padded_dim() * format().value_bytes;
  }
  [[nodiscard]] std::size_t page_bytes() const noexcept { return 2 * n_layers * n_kv_heads * block_bytes(); }
  /// Packed: from one panel of keys (16 tokens), or of values (16 dimensions), to the next.
  [[nodiscard]] std::size_t key_panel_bytes() const noexcept { return kPanelRows * padded_dim() * 2; }
  [[nodiscard]] std::size_t value_panel_bytes() const noexcept { return kPanelRows * kKvPageTokens * 2; }

  bool operator==(const KvLayout&) const = default;
};

/// Keys and values of up to kKvPageTokens consecutive tokens, for all layers and heads.
/// f32: a block is [kKvPageTokens, head_dim]. bf16, f16: the keys are a packed matrix [tokens, dimensions],
/// the values a packed matrix [dimensions, tokens] (packed_args.hpp).
class KvPage {
 public:
  /// Zeroed: products may read slots that nothing was written to. Throws std::bad_alloc.
  explicit KvPage(const KvLayout& layout, Memory memory = nullptr);
  /// A page in mapped memory, which is never written: `bytes` [layout.page_bytes()], kept alive by `owner`.
  KvPage(const std::byte* bytes, std::shared_ptr<const void> owner) noexcept
      // Everything that writes asks is_read_only() first (KvCache::prepare).
      : data_(const_cast<std::byte*>(bytes)), owner_(std::move(owner)), is_read_only_(true) {}

  [[nodiscard]] bool is_read_only() const noexcept { return is_read_only_; }
  /// All blocks: [layout.page_bytes()].
  [[nodiscard]] const std::byte* bytes() const noexcept { return data_; }

  [[nodiscard]] std::byte* key_block(const KvLayout& layout, std::size_t layer,
                                     std::size_t kv_head) noexcept {
    return data_ + 2 * (layer * layout.n_kv_heads + kv_head) * layout.block_bytes();
  }
  [[nodiscard]] std::byte* value_block(const KvLayout& layout, std::size_t layer,
                                       std::size_t kv_head) noexcept {
    return key_block(layout, layer, kv_head) + layout.block_bytes();
  }

  /// Whether numbers that are not finite were written. Products with values read the slots behind the last
  /// token too, with a weight of zero, and zero times such a number is NaN: nobody may come upon what was
  /// left there by a call that failed.
  [[nodiscard]] bool is_poisoned() const noexcept { return is_poisoned_.load(std::memory_order_relaxed); }
  /// Zeroes the values of slots [first_slot, kKvPageTokens) of a poisoned page.
  void forget_values(const KvLayout& layout, std::size_t first_slot) noexcept;

  /// Takes over all slots of a page of the same layout.
  void copy_from(const KvPage& other, const KvLayout& layout) noexcept;

  /// Writes one token's key and value, [head_dim] each, into a slot; rounded when the layout has 16 bits. A
  /// token whose key is not finite, or too large for the layout, gets a value that is NaN, and so does
  /// whatever attends to it: of an infinite score the softmax could make a weight of zero.
  void store(const KvLayout& layout, std::size_t layer, std::size_t kv_head, std::size_t slot,
             const float* key, const float* value, const KernelTable& kernels) noexcept;

 private:
  friend class KvPagePtr;
  std::atomic<std::size_t> n_holders_{0};
  AlignedBuffer<std::byte> own_;
  std::byte* data_ = nullptr;
  std::shared_ptr<const void> owner_;
  bool is_read_only_ = false;
  std::atomic<bool> is_poisoned_{false};
};

/// A page that several caches may hold. Unlike a std::shared_ptr it can tell that nobody else does any more
/// in a way that makes the others' last reads happen before what the last holder then writes.
class KvPagePtr {
 public:
  KvPagePtr() = default;
  /// Throws std::bad_alloc.
  template <class... Arguments>
  [[nodiscard]] static KvPagePtr make(Arguments&&... arguments) {
    KvPagePtr out;
    out.page_ = new KvPage(std::forward<Arguments>(arguments)...);
    out.page_->n_holders_.store(1, std::memory_order_relaxed);
    return out;
  }
  KvPagePtr(const KvPagePtr& other) noexcept : page_(other.page_) {
    if (page_ != nullptr) page_->n_holders_.fetch_add(1, std::memory_order_relaxed);
  }
  KvPagePtr(KvPagePtr&& other) noexcept : page_(std::exchange(other.page_, nullptr)) {}
  KvPagePtr& operator=(KvPagePtr other) noexcept {
    std::swap(page_, other.page_);
    return *this;
  }
  ~KvPagePtr() {
    if (page_ != nullptr && page_->n_holders_.fetch_sub(1, std::memory_order_acq_rel) == 1) delete page_;
  }

  /// May turn false at any time, when another holder lets go; never true again while nobody copies this one.
  [[nodiscard]] bool is_shared() const noexcept {
    return page_->n_holders_.load(std::memory_order_acquire) > 1;
  }
  [[nodiscard]] KvPage* operator->() const noexcept { return page_; }
  [[nodiscard]] KvPage& operator*() const noexcept { return *page_; }

 private:
  KvPage* page_ = nullptr;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_KV_PAGE_HPP
