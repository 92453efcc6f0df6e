// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_MUTEX_HPP
#define QWEN3GUARD_SRC_UTIL_MUTEX_HPP

#include <condition_variable>
#include <mutex>
#include <thread>

/// 0 where the standard library is one for systems without threads; the library builds there with
/// Q3G_PARALLEL_NONE.
#if (defined(__GLIBCXX__) && !defined(_GLIBCXX_HAS_GTHREADS)) || defined(_LIBCPP_HAS_NO_THREADS)
#define Q3G_HAS_THREADS 0
#elif defined(_LIBCPP_HAS_THREADS)
#define Q3G_HAS_THREADS _LIBCPP_HAS_THREADS
#else
#define Q3G_HAS_THREADS 1
#endif

namespace qwen3guard::detail {

#if Q3G_HAS_THREADS
using Mutex = std::mutex;
using ConditionVariable = std::condition_variable;
using ThreadId = std::thread::id;
[[nodiscard]] inline ThreadId this_thread_id() noexcept { return std::this_thread::get_id(); }
#else
/// Nobody else is there to be kept out, or waited for.
class Mutex {
 public:
  void lock() noexcept {}
  [[nodiscard]] bool try_lock() noexcept { return true; }
  void unlock() noexcept {}
};

class ConditionVariable {
 public:
  void notify_all() noexcept {}
  /// What is waited for is the case already: nobody else could make it so.
  template <class Lock, class Condition>
  void wait(Lock& /*lock*/, const Condition& /*condition*/) noexcept {}
  template <class Lock, class Duration, class Condition>
  void wait_for(Lock& /*lock*/, const Duration& /*time*/, const Condition& /*condition*/) noexcept {}
  /// Returns before its time, as a wait may: its caller looks at the clock.
  template <class Lock, class Time>
  void wait_until(Lock& /*lock*/, const Time& /*time*/) noexcept {}
};

/// 0: no thread.
using ThreadId = int;
[[nodiscard]] inline ThreadId this_thread_id() noexcept { return 1; }
#endif

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_MUTEX_HPP
