// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_TOKENIZER_MERGE_TABLE_HPP
#define QWEN3GUARD_DETAIL_TOKENIZER_MERGE_TABLE_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "qwen3guard/detail/tokenizer/hash.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// What a pair of neighbouring tokens becomes. The lowest rank merges first.
struct Merge {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t rank = kNone;
  TokenId id = -1;
};

/// An entry of the table: left id << 32 | right id, or kEmpty.
struct MergeSlot {
  static constexpr std::uint64_t kEmpty = std::numeric_limits<std::uint64_t>::max();
  std::uint64_t key = kEmpty;
  Merge merge;
};

/// (left id, right id) -> Merge in one flat table with open addressing: 16 bytes a slot, so that a lookup
/// costs about one cache line. Filled once (or a view of a table that somebody else keeps), then immutable
/// and safe to share between threads. Move-only; a moved-from one may only be destroyed or assigned.
class MergeTable {
 public:
  MergeTable() = default;
  /// A view: `owner` keeps the slots alive. They are a power of two and at least one is empty.
  MergeTable(std::span<const MergeSlot> slots, std::shared_ptr<const void> owner)
      : view_(slots), mask_(slots.size() - 1), owner_(std::move(owner)) {}
  MergeTable(MergeTable&&) noexcept = default;
  MergeTable& operator=(MergeTable&&) noexcept = default;
  MergeTable(const MergeTable&) = delete;
  MergeTable& operator=(const MergeTable&) = delete;
  ~MergeTable() = default;

  /// Empties the table and makes room for n merges. Precondition: not a view.
  void reset(std::size_t n) {
    slots_.assign(table_slots(n), MergeSlot{});
    view_ = slots_;
    mask_ = slots_.size() - 1;
  }

  /// Adds a merge; a pair that is there already takes the new rank. At most reset()'s n calls.
  void add(TokenId left, TokenId right, Merge merge) noexcept {
    const std::uint64_t added = key(left, right);
    std::size_t i = mix64(added) & mask_;
    while (slots_[i].key != MergeSlot::kEmpty && slots_[i].key != added) i = (i + 1) & mask_;
    slots_[i] = {added, merge};
  }

  /// Rank kNone when the pair does not merge.
  [[nodiscard]] Merge find(TokenId left, TokenId right) const noexcept {
    const std::uint64_t wanted = key(left, right);
    for (std::size_t i = mix64(wanted) & mask_;; i = (i + 1) & mask_) {
      if (view_[i].key == wanted) return view_[i].merge;
      if (view_[i].key == MergeSlot::kEmpty) return {};
    }
  }
  /// A hint that add() or find() comes soon with this pair.
  void prefetch(TokenId left, TokenId right) const noexcept {
    prefetch_line(view_.data() + (mix64(key(left, right)) & mask_));
  }

  [[nodiscard]] std::span<const MergeSlot> slots() const noexcept { return view_; }

 private:
  static constexpr MergeSlot kNoSlots[1] = {};
  [[nodiscard]] static std::uint64_t key(TokenId left, TokenId right) noexcept {
    return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
  }

  std::span<const MergeSlot> view_ = kNoSlots;
  std::size_t mask_ = 0;
  std::vector<MergeSlot> slots_;  // what view_ points to, or what owner_ keeps
  std::shared_ptr<const void> owner_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_TOKENIZER_MERGE_TABLE_HPP
