// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_MERGE_NEIGHBOURS_HPP
#define QWEN3GUARD_SRC_TOKENIZER_MERGE_NEIGHBOURS_HPP

#include <cstddef>

#include "tokenizer/merge_table.hpp"

namespace qwen3guard::detail {

/// Byte-pair encoding of a short word, whose bytes' tokens are ids[0, n): they become the word's tokens,
/// whose number is returned. Repeats: find the lowest rank among the neighbours, leftmost first; merge; look
/// the two new pairs up. Time O(n^2). `merges` has room for n: merges[i] is that of ids[i] and ids[i + 1].
/// on_merge(i) comes before ids[i] and ids[i + 1] become one.
template <class OnMerge>
std::size_t merge_neighbours(const MergeTable& table, TokenId* ids, Merge* merges, std::size_t n,
                             const OnMerge& on_merge) {
  for (std::size_t i = 0; i + 1 < n; ++i) merges[i] = table.find(ids[i], ids[i + 1]);
  while (n > 1) {
    std::size_t best = 0;
    for (std::size_t i = 1; i + 1 < n; ++i) {
      if (merges[i].rank < merges[best].rank) best = i;
    }
    if (merges[best].rank == Merge::kNone) break;
    on_merge(best);
    ids[best] = merges[best].id;
    --n;
    for (std::size_t i = best + 1; i < n; ++i) ids[i] = ids[i + 1];
    for (std::size_t i = best; i + 1 < n; ++i) merges[i] = merges[i + 1];
    if (best + 1 < n) merges[best] = table.find(ids[best], ids[best + 1]);
    if (best > 0) merges[best - 1] = table.find(ids[best - 1], ids[best]);
  }
  return n;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_MERGE_NEIGHBOURS_HPP
