// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CANCEL_HPP
#define QWEN3GUARD_CANCEL_HPP

/// @file
/// A flag that stops running calls.

#include <atomic>

namespace qwen3guard {

/// Stops a running call from another thread. Calls that were given the flag look at it before every layer of
/// the model and fail with ErrorCode::cancelled while it is up; they leave behind
/// what any failed call does. One flag may serve any number of calls. Thread-safety: all functions on any
/// number of threads at once; cancel() may also be called in a signal handler.
class CancelFlag {
 public:
  /// Raises the flag: running calls that were given it fail, and so do later ones.
  void cancel() noexcept { is_up_.store(true, std::memory_order_relaxed); }
  /// Takes the flag down, for the next call.
  void reset() noexcept { is_up_.store(false, std::memory_order_relaxed); }
  /// True while the flag is up.
  [[nodiscard]] bool is_cancelled() const noexcept { return is_up_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> is_up_{false};
  static_assert(std::atomic<bool>::is_always_lock_free);
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_CANCEL_HPP
