// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_MERGE_TABLE_HPP
#define QWEN3GUARD_SRC_TOKENIZER_MERGE_TABLE_HPP

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/hash.hpp"

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
/// costs about one cache line. Most pairs that a text asks for do not merge; a bit per hash, in a sixteenth
/// of the memory, knows nine in ten of them. Filled once (or a view of a table that somebody else keeps),
/// then immutable and safe to share between threads. Move-only; a moved-from one may only be destroyed or
/// assigned.
class MergeTable {
 public:
  MergeTable() = default;
  /// A view: `owner` keeps the slots alive. They are a power of two and at least one is empty. Throws
  /// std::bad_alloc.
  MergeTable(std::span<const MergeSlot> slots, std::shared_ptr<const void> owner)
      : view_(slots), mask_(slots.size() - 1), owner_(std::move(owner)) {
    clear_filter();
    for (const MergeSlot& slot : slots) {
      if (slot.key != MergeSlot::kEmpty) allow(mix64(slot.key));
    }
  }
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
    clear_filter();
  }

  /// Adds a merge; a pair that is there already takes the new rank. At most reset()'s n calls.
  void add(TokenId left, TokenId right, Merge merge) noexcept {
    const std::uint64_t added = key(left, right);
    const std::uint64_t hash = mix64(added);
    allow(hash);
    std::size_t i = hash & mask_;
    while (slots_[i].key != MergeSlot::kEmpty && slots_[i].key != added) i = (i + 1) & mask_;
    slots_[i] = {added, merge};
  }

  /// Rank kNone when the pair does not merge.
  [[nodiscard]] Merge find(TokenId left, TokenId right) const noexcept {
    const std::uint64_t wanted = key(left, right);
    const std::uint64_t hash = mix64(wanted), bit = hash >> filter_shift_;
    if ((filter_[bit / 64] >> (bit % 64) & 1) == 0) return {};
    for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
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

  /// The filter: 8 bits a slot, at least 64.
  void clear_filter() {
    const std::size_t n_words = std::max<std::size_t>(view_.size() / 8, 1);
    filter_.assign(n_words, 0);
    filter_shift_ = 64 - std::countr_zero(n_words * 64);
  }
  void allow(std::uint64_t hash) noexcept {
    const std::uint64_t bit = hash >> filter_shift_;
    filter_[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }

  std::span<const MergeSlot> view_ = kNoSlots;
  std::size_t mask_ = 0;
  std::vector<std::uint64_t> filter_ =
      std::vector<std::uint64_t>(1);  // by the hash's high bits: may be there
  int filter_shift_ = 58;
  std::vector<MergeSlot> slots_;  // what view_ points to, or what owner_ keeps
  std::shared_ptr<const void> owner_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_MERGE_TABLE_HPP
