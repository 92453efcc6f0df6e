// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_BATCH_CLASSIFY_BATCH_HPP
#define QWEN3GUARD_SRC_GUARD_BATCH_CLASSIFY_BATCH_HPP

#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "guard/loaded/guard_impl.hpp"
#include "qwen3guard/guard.hpp"

namespace qwen3guard::detail {

/// One conversation of a batch, its text checked, and its verdict.
struct BatchItem {
  std::span<const Message> messages;
  Result<Verdict> verdict = Error{ErrorCode::internal, "not judged"};
  bool is_done = false;
};

/// Judges all items by a Gen checkpoint, constrained decoding: the tokens of several conversations go through
/// the model together, a wave of conversations at a time, which bounds the memory. on_done(item) is called
/// when an item's verdict is there. cancel: may be null. Throws std::bad_alloc, and what on_done() throws.
void classify_gen_batch(const Guard::Impl& guard, std::span<BatchItem* const> items, const CancelFlag* cancel,
                        const std::function<void(BatchItem&)>& on_done);

/// The same for a Stream checkpoint; the sessions that do the work hold `guard`.
void classify_stream_batch(const std::shared_ptr<const Guard::Impl>& guard, std::span<BatchItem* const> items,
                           const std::shared_ptr<const CancelFlag>& cancel,
                           const std::function<void(BatchItem&)>& on_done);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_BATCH_CLASSIFY_BATCH_HPP
