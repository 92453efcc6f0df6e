// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_JUDGING_STREAM_POOL_HPP
#define QWEN3GUARD_SRC_SERVER_JUDGING_STREAM_POOL_HPP

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "qwen3guard/guard.hpp"
#include "qwen3guard/stream_batch.hpp"

namespace qwen3guard::server {

/// The streams of one model, judged together on a thread of their own. The loop posts tasks, which run on
/// that thread between two forwards and may do anything with the batch; who waits for verdicts is asked after
/// each forward. So nothing that the batch does ever holds up the loop, and sessions need no locks.
class StreamPool {
 public:
  using Task = std::function<void(StreamBatch&)>;

  /// Something that waits for verdicts. Lives on the pool's thread.
  class Waiter {
   public:
    Waiter() = default;
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    virtual ~Waiter() = default;
    /// Looks what has come; false when it waits for nothing more, until StreamPool::wait_for() again. What it
    /// throws ends its waiting.
    [[nodiscard]] virtual bool look(StreamBatch& batch) = 0;

   private:
    friend class StreamPool;
    bool is_listed_ = false;
  };

  /// Throws Exception (StreamBatch::open()), std::system_error (no thread).
  StreamPool(const Guard& guard, const StreamBatchOptions& options);
  StreamPool(const StreamPool&) = delete;
  StreamPool& operator=(const StreamPool&) = delete;
  /// Ends the thread behind the forward that it is in; tasks that wait are dropped without being run.
  ~StreamPool();

  /// Thread-safe. Tasks run in order. One that throws is over.
  void post(Task task);
  /// Within a task, or within look(): has the waiter asked after each forward from now on.
  void wait_for(std::shared_ptr<Waiter> waiter);
  /// Thread-safe.
  [[nodiscard]] StreamBatchStats stats() const { return batch_.stats(); }
  [[nodiscard]] const Guard& guard() const noexcept { return guard_; }

 private:
  void run();
  void look();

  Guard guard_;
  StreamBatch batch_;
  std::vector<std::shared_ptr<Waiter>> waiters_;  // the thread's
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Task> tasks_;
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_JUDGING_STREAM_POOL_HPP
