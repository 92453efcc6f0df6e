// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CALLS_CLASSIFY_BATCH_HPP
#define QWEN3GUARD_SRC_GUARD_CALLS_CLASSIFY_BATCH_HPP

#include <functional>
#include <memory>
#include <span>

#include "guard/loaded/guard_impl.hpp"
#include "qwen3guard/guard.hpp"

namespace qwen3guard::detail {

class LongMessage;
class SharedBeginning;

/// One conversation of a batch, its text checked, and its verdict.
struct BatchItem {
  std::span<const Message> messages;
  Result<Verdict> verdict = Error{ErrorCode::internal, "not judged"};
  bool is_done = false;
  SharedBeginning* beginning = nullptr;  ///< what was read of it; may be null
  LongMessage* part_of = nullptr;        ///< it is a window of that; else null
};

/// What is told while a batch runs. An error ends it, is returned, and the other items are not judged.
struct BatchCalls {
  /// An item's verdict is there, ruled on, or its error.
  std::function<Status(BatchItem&)> on_done;
  /// Some windows of a long message were judged, and there are more. May be empty.
  std::function<Status()> on_windows;
};

/// True when messages that do not fit are judged in windows.
[[nodiscard]] bool uses_windows(const ClassifyOptions& options) noexcept;

/// Judges all items, be it one: the tokens of several conversations go through the model together, a wave of
/// conversations at a time, which bounds the memory. A Gen checkpoint's greedy decoding, and a single
/// conversation of such a checkpoint, go through it alone, and are kept for the next call (classify_gen()).
/// The windows of a message that does not fit go through it as conversations do. Throws std::bad_alloc; what
/// has no verdict then is not judged.
[[nodiscard]] Status classify_items(const std::shared_ptr<const Guard::Impl>& guard,
                                    std::span<BatchItem* const> items, const ClassifyOptions& options,
                                    const BatchCalls& calls);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CALLS_CLASSIFY_BATCH_HPP
