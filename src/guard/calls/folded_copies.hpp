// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CALLS_FOLDED_COPIES_HPP
#define QWEN3GUARD_SRC_GUARD_CALLS_FOLDED_COPIES_HPP

#include <list>
#include <map>
#include <optional>
#include <vector>

#include "guard/calls/classify_batch.hpp"
#include "guard/lists/fold.hpp"

namespace qwen3guard::detail {

/// Conversations whose last message is judged twice, as it is and folded (PhraseLists::judge_folded_copy):
/// the worse verdict counts. Borrows the policy and the items, which stay in their places. Not thread-safe.
class FoldedCopies {
 public:
  explicit FoldedCopies(const Policy& policy) noexcept : policy_(policy) {}

  /// Appends what is to be judged of a conversation: the item, and an item of its folded copy where the
  /// policy asks for one and it says something else. Throws std::bad_alloc.
  void add(BatchItem& item, std::vector<BatchItem*>& to_judge);
  /// Something that was appended is done. Returns the conversation's own item when its verdict, or its error,
  /// is there; null while another copy is not done. Throws std::bad_alloc.
  [[nodiscard]] BatchItem* done(BatchItem& item);

 private:
  struct Copy {
    BatchItem* original = nullptr;
    BatchItem item;
    std::vector<Message> messages;
    FoldedText folded;
    bool has_one = false;  // of the two
  };

  const Policy& policy_;
  std::list<Copy> copies_;
  std::map<const BatchItem*, Copy*> copy_of_;  // by either item
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CALLS_FOLDED_COPIES_HPP
