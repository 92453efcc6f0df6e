// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_SERVER_JUDGING_CLASSIFIER_HPP
#define QWEN3GUARD_SRC_SERVER_JUDGING_CLASSIFIER_HPP

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "qwen3guard/guard.hpp"

namespace qwen3guard::server {

/// Conversations that wait for a model, in order, and the thread that judges them. Those that wait together
/// and want the same are judged together (Guard::classify_batch). What was not judged gives an error, never a
/// verdict.
class Classifier {
 public:
  using Clock = std::chrono::steady_clock;

  /// One conversation to judge.
  struct Job {
    std::vector<Message> messages;
    /// Shared by jobs that may be judged together: the same object.
    std::shared_ptr<const ClassifyOptions> options;
    Clock::time_point deadline = Clock::time_point::max();  ///< not begun later than that
    /// Raised by whoever no longer wants it.
    std::shared_ptr<const CancelFlag> cancel;
    /// Called once, on the classifier's thread. Must not throw. Errors: as Guard::classify(); cancelled (the
    /// deadline has passed, the flag is up, or the server stops).
    std::function<void(Result<Verdict>)> done;
  };

  /// Throws std::system_error (no thread).
  Classifier(const Guard& guard, std::size_t max_waiting, std::size_t max_batch);
  Classifier(const Classifier&) = delete;
  Classifier& operator=(const Classifier&) = delete;
  /// Ends the thread behind the batch that it judges; what waits is cancelled.
  ~Classifier();

  /// Takes all of the jobs or none: false when there is no room for them. Thread-safe.
  [[nodiscard]] bool submit(std::vector<Job>& jobs);
  /// Jobs that wait or are being judged. Thread-safe.
  [[nodiscard]] std::size_t n_waiting() const;
  /// An estimate of when there is room again. Thread-safe.
  [[nodiscard]] std::chrono::milliseconds expected_wait() const;

 private:
  void run();
  [[nodiscard]] std::vector<Job> take();
  void judge(std::vector<Job> jobs);

  Guard guard_;
  const std::size_t max_waiting_, max_batch_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Job> waiting_;
  std::size_t n_in_work_ = 0;
  double job_ms_ = 0;  // a moving mean
  bool is_stopping_ = false;
  std::thread thread_;
};

}  // namespace qwen3guard::server

#endif  // QWEN3GUARD_SRC_SERVER_JUDGING_CLASSIFIER_HPP
