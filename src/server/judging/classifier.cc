// SPDX-License-Identifier: Apache-2.0
#include "server/judging/classifier.hpp"

#include <algorithm>
#include <utility>

namespace qwen3guard::server {
namespace {

Error cancelled(const char* why) { return {ErrorCode::cancelled, why}; }

/// Of the mean time of a job, the part that the newest batch makes up.
constexpr double kNewest = 0.2;

}  // namespace

Classifier::Classifier(const Guard& guard, std::size_t max_waiting, std::size_t max_batch)
    : guard_(guard), max_waiting_(max_waiting), max_batch_(max_batch), thread_([this] { run(); }) {}

Classifier::~Classifier() {
  {
    const std::lock_guard lock(mutex_);
    is_stopping_ = true;
  }
  changed_.notify_one();
  thread_.join();
  for (Job& job : waiting_) job.done(cancelled("the server stops"));
}

bool Classifier::submit(std::vector<Job>& jobs) {
  {
    const std::lock_guard lock(mutex_);
    if (waiting_.size() + jobs.size() > max_waiting_) return false;
    for (Job& job : jobs) waiting_.push_back(std::move(job));
  }
  changed_.notify_one();
  return true;
}

std::size_t Classifier::n_waiting() const {
  const std::lock_guard lock(mutex_);
  return waiting_.size() + n_in_work_;
}

std::chrono::milliseconds Classifier::expected_wait() const {
  const std::lock_guard lock(mutex_);
  const double ms = job_ms_ * static_cast<double>(waiting_.size() + n_in_work_);
  return std::chrono::milliseconds(static_cast<std::int64_t>(std::min(ms, 1e7)));
}

void Classifier::run() {
  for (;;) {
    std::vector<Job> jobs = take();
    if (jobs.empty()) return;
    const auto begin = Clock::now();
    const std::size_t n = jobs.size();
    judge(std::move(jobs));
    const double ms = std::chrono::duration<double, std::milli>(Clock::now() - begin).count();
    const std::lock_guard lock(mutex_);
    n_in_work_ = 0;
    const double mean = ms / static_cast<double>(n);
    job_ms_ = job_ms_ == 0 ? mean : (1 - kNewest) * job_ms_ + kNewest * mean;
  }
}

/// The next jobs that can be judged together; none when the server stops.
std::vector<Classifier::Job> Classifier::take() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return is_stopping_ || !waiting_.empty(); });
  std::vector<Job> jobs;
  if (is_stopping_) return jobs;
  do {
    jobs.push_back(std::move(waiting_.front()));
    waiting_.pop_front();
  } while (jobs.size() < max_batch_ && !waiting_.empty() && waiting_.front().options == jobs.front().options);
  n_in_work_ = jobs.size();
  return jobs;
}

void Classifier::judge(std::vector<Job> jobs) {
  const auto now = Clock::now();
  std::vector<Job> wanted;
  std::vector<std::vector<Message>> conversations;
  for (Job& job : jobs) {
    if (job.cancel != nullptr && job.cancel->is_cancelled()) {
      job.done(cancelled("nobody waits for it any more"));
    } else if (now > job.deadline) {
      job.done(cancelled("it waited longer than its time limit"));
    } else {
      conversations.push_back(std::move(job.messages));
      wanted.push_back(std::move(job));
    }
  }
  if (wanted.empty()) return;
  if (wanted.size() > 1) {
    std::vector<Result<Verdict>> verdicts = guard_.classify_batch(conversations, *wanted.front().options);
    for (std::size_t i = 0; i < wanted.size(); ++i) wanted[i].done(std::move(verdicts[i]));
    return;
  }
  ClassifyOptions options = *wanted.front().options;
  options.cancel = wanted.front().cancel;
  wanted.front().done(guard_.classify(conversations.front(), options));
}

}  // namespace qwen3guard::server
