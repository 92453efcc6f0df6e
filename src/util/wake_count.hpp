// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_WAKE_COUNT_HPP
#define QWEN3GUARD_SRC_UTIL_WAKE_COUNT_HPP

#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <mutex>

#ifndef Q3G_PARALLEL_NONE  // where the system may have no threads

namespace qwen3guard::detail {

/// A number that threads sleep on until it changes. Thread-safety: any number of threads at once.
#if defined(__GLIBCXX__) && !defined(__linux__)
/// std::atomic::wait() of GNU's library misses wake-ups where it cannot use a futex: some threads of a team
/// slept for ever in a Windows build under Wine.
class WakeCount {
 public:
  [[nodiscard]] std::uint32_t load() noexcept {
    const std::lock_guard lock(mutex_);
    return count_;
  }
  void wake_all() noexcept {
    {
      const std::lock_guard lock(mutex_);
      ++count_;
    }
    changed_.notify_all();
  }
  /// Returns when the number is another than `count`, maybe earlier.
  void wait(std::uint32_t count) noexcept {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return count_ != count; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint32_t count_ = 0;
};
#else
class WakeCount {
 public:
  [[nodiscard]] std::uint32_t load() noexcept { return count_.load(); }
  void wake_all() noexcept {
    count_.fetch_add(1);
    count_.notify_all();
  }
  /// Returns when the number is another than `count`, maybe earlier.
  void wait(std::uint32_t count) noexcept { count_.wait(count); }

 private:
  std::atomic<std::uint32_t> count_{0};
};
#endif

}  // namespace qwen3guard::detail

#endif  // Q3G_PARALLEL_NONE

#endif  // QWEN3GUARD_SRC_UTIL_WAKE_COUNT_HPP
