// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_HTTP_LOOP_HPP
#define QWEN3GUARD_SRC_SERVER_HTTP_LOOP_HPP

#include <chrono>
#include <functional>
#include <memory>

namespace qwen3guard::server {

/// The server's one thread for everything but judging: sockets, timers, signals, and what other threads hand
/// over. Whatever is called by the loop runs to its end before the next thing does, so that the state of
/// doors needs no locks. What a callback throws ends run(), which may be called again, and is thrown there.
class Loop {
 public:
  /// A callback that is due once. It is dropped with the timer.
  class Timer {
   public:
    virtual ~Timer() = default;
  };

  /// Throws std::bad_alloc, std::system_error.
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;
  ~Loop();

  /// Runs until stop(). On the calling thread.
  void run();
  /// Thread-safe; run() returns soon after.
  void stop();
  /// When it has stopped: does what was posted and waits, until nothing does.
  void drain();
  /// Thread-safe: the loop calls `task` later. Tasks of one thread keep their order.
  void post(std::function<void()> task);
  /// Calls `task` on the loop when the time has passed. Loop thread only.
  [[nodiscard]] std::unique_ptr<Timer> after(std::chrono::milliseconds delay, std::function<void()> task);
  /// Calls `task` each time that the process gets the signal. Loop thread, or before run().
  void on_signal(int number, std::function<void()> task);

  class Impl;  ///< the event library's; for src/server/http
  [[nodiscard]] Impl& impl() noexcept { return *impl_; }

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_HTTP_LOOP_HPP
