// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_TOKENIZER_MERGE_TABLE_HPP
#define QWEN3GUARD_DETAIL_TOKENIZER_MERGE_TABLE_HPP

#include <cstddef>
#include <cstdint>
#include <limits>
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

/// (left id, right id) -> Merge in one flat table with open addressing: 16 bytes a slot, so that a lookup
/// costs about one cache line. Filled once, then immutable and safe to share between threads.
class MergeTable {
 public:
  /// Empties the table and makes room for n merges.
  void reset(std::size_t n) {
    slots_.assign(table_slots(n), Slot{});
    mask_ = slots_.size() - 1;
  }

  /// Adds a merge; a pair that is there already takes the new rank. At most reset()'s n calls.
  void add(TokenId left, TokenId right, Merge merge) noexcept {
    std::size_t i = mix64(key(left, right)) & mask_;
    while (slots_[i].key != kEmpty && slots_[i].key != key(left, right)) i = (i + 1) & mask_;
    slots_[i] = {key(left, right), merge};
  }

  /// Rank kNone when the pair does not merge.
  [[nodiscard]] Merge find(TokenId left, TokenId right) const noexcept {
    const std::uint64_t wanted = key(left, right);
    for (std::size_t i = mix64(wanted) & mask_;; i = (i + 1) & mask_) {
      if (slots_[i].key == wanted) return slots_[i].merge;
      if (slots_[i].key == kEmpty) return {};
    }
  }

 private:
  static constexpr std::uint64_t kEmpty = std::numeric_limits<std::uint64_t>::max();
  struct Slot {
    std::uint64_t key = kEmpty;
    Merge merge;
  };
  [[nodiscard]] static std::uint64_t key(TokenId left, TokenId right) noexcept {
    return (std::uint64_t{static_cast<std::uint32_t>(left)} << 32) | static_cast<std::uint32_t>(right);
  }

  std::vector<Slot> slots_ = std::vector<Slot>(1);
  std::size_t mask_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_TOKENIZER_MERGE_TABLE_HPP
