// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CALLS_CLASSIFY_BATCH_HPP
#define QWEN3GUARD_SRC_GUARD_CALLS_CLASSIFY_BATCH_HPP

#include <functional>
#include <memory>
#include <span>

#include "guard/loaded/guard_impl.hpp"
#include "qwen3guard/guard.hpp"

namespace qwen3guard::detail {

/// One conversation of a batch, its text checked, and its verdict.
struct BatchItem {
  std::span<const Message> messages;
  Result<Verdict> verdict = Error{ErrorCode::internal, "not judged"};
  bool is_done = false;
};

/// Judges all items, be it one: the tokens of several conversations go through the model together, a wave of
/// conversations at a time, which bounds the memory. A Gen checkpoint's greedy decoding, and a single
/// conversation of such a checkpoint, go through it alone, and are kept for the next call (classify_gen()).
/// on_done(item) is called when an item's verdict is there, or its error; after an error of its own,
/// which is returned, the other items are not judged. Throws std::bad_alloc; they are not judged then either.
[[nodiscard]] Status classify_items(const std::shared_ptr<const Guard::Impl>& guard,
                                    std::span<BatchItem* const> items, const ClassifyOptions& options,
                                    const std::function<Status(BatchItem&)>& on_done);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CALLS_CLASSIFY_BATCH_HPP
