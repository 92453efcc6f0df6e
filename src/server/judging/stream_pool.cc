// SPDX-License-Identifier: Apache-2.0
#include "server/judging/stream_pool.hpp"

#include <chrono>
#include <exception>
#include <utility>

namespace qwen3guard::server {
namespace {

/// Of one call of step(): so short that a task never waits for more than a forward or two.
constexpr double kStep_ms = 2;
/// When nothing could be judged although something waits (there is no memory): until it is tried again.
constexpr std::chrono::milliseconds kRest{5};
/// Who waits is asked so often though nothing has happened: a time limit may have passed.
constexpr std::chrono::milliseconds kGlance{100};

}  // namespace

StreamPool::StreamPool(const Guard& guard, const StreamBatchOptions& options)
    : guard_(guard), batch_(StreamBatch::open(guard, options).value()), thread_([this] { run(); }) {}

StreamPool::~StreamPool() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void StreamPool::post(Task task) {
  {
    const std::lock_guard lock(mutex_);
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void StreamPool::wait_for(std::shared_ptr<Waiter> waiter) {
  if (!std::exchange(waiter->is_listed_, true)) waiters_.push_back(std::move(waiter));
}

void StreamPool::run() {
  for (bool has_work = false, is_stuck = false;;) {
    std::vector<Task> tasks;
    {
      std::unique_lock lock(mutex_);
      const auto has_changed = [this] { return is_stopping_ || !tasks_.empty(); };
      if (!has_work && waiters_.empty()) {
        changed_.wait(lock, has_changed);
      } else if (!has_work) {
        changed_.wait_for(lock, kGlance, has_changed);
      } else if (is_stuck) {
        changed_.wait_for(lock, kRest, has_changed);
      }
      if (is_stopping_) return;
      tasks.swap(tasks_);
    }
    for (const Task& task : tasks) {
      // There is no memory for what it would do. Whoever waits for it is answered when it is let go of.
      try {
        task(batch_);
      } catch (const std::exception&) {
        continue;
      }
    }
    is_stuck = batch_.step(kStep_ms) == 0;
    look();
    // Once more behind a forward: what a waiter did about its verdicts may have made something of what it
    // held.
    has_work = !waiters_.empty() && (!is_stuck || batch_.stats().n_waiting_sessions > 0);
  }
}

void StreamPool::look() {
  std::vector<std::shared_ptr<Waiter>> asked;
  asked.swap(waiters_);  // look() may add some
  for (auto& waiter : asked) {
    waiter->is_listed_ = false;
    try {
      if (waiter->look(batch_)) wait_for(std::move(waiter));
    } catch (const std::exception&) {
      continue;  // as a task
    }
  }
}

}  // namespace qwen3guard::server
