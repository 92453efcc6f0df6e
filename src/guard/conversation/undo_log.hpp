// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CONVERSATION_UNDO_LOG_HPP
#define QWEN3GUARD_SRC_GUARD_CONVERSATION_UNDO_LOG_HPP

#include <cstddef>
#include <functional>
#include <utility>
#include <vector>

#include "util/rollback.hpp"

namespace qwen3guard::detail {

/// How to take back what was done to a conversation and to what was found out about it, step by step. Whoever
/// changes something notes the way back first; a step that was noted and then not taken is harmless to take
/// back. Not thread-safe.
class UndoLog {
 public:
  UndoLog() = default;
  /// A copy of a conversation does not take back what the original did.
  UndoLog(const UndoLog&) noexcept {}
  UndoLog& operator=(const UndoLog&) = delete;

  /// Notes the way back from what happens next. inverse() must not throw. Throws std::bad_alloc; then nothing
  /// is noted, and nothing may happen.
  template <class Inverse>
  void add(Inverse&& inverse) {
    steps_.emplace_back(std::forward<Inverse>(inverse));
  }

  /// The same around a change that happens wholly or, when it returns an error or throws, not at all.
  template <class Change, class Inverse>
  auto perform(const Change& change, Inverse&& inverse) {
    add(std::forward<Inverse>(inverse));
    Rollback step([&] { steps_.pop_back(); });
    auto result = change();
    if (result.ok()) step.keep();
    return result;
  }

  /// Notes that `values` is about to change from `keep` on.
  template <class T>
  void keep_tail(std::vector<T>& values, std::size_t keep) {
    const auto at = values.begin() + static_cast<std::ptrdiff_t>(keep);
    // No allocation on the way back: all of this was in the vector before, and it does not shrink.
    add([&values, keep, old = std::vector<T>(at, values.end())]() mutable {
      values.erase(values.begin() + static_cast<std::ptrdiff_t>(keep), values.end());
      values.insert(values.end(), std::make_move_iterator(old.begin()), std::make_move_iterator(old.end()));
    });
  }

  /// Notes that `value` is about to change.
  template <class T>
  void keep_value(T& value) {
    add([&value, old = value]() mutable { value = std::move(old); });
  }

  /// Takes everything back, the last step first.
  void rollback() noexcept {
    for (; !steps_.empty(); steps_.pop_back()) steps_.back()();
  }
  /// What was done stays.
  void commit() noexcept { steps_.clear(); }

 private:
  std::vector<std::function<void()>> steps_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CONVERSATION_UNDO_LOG_HPP
