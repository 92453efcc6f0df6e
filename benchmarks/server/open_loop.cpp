// SPDX-License-Identifier: Apache-2.0
#include "open_loop.hpp"

#include <algorithm>
#include <utility>

#include "measured.hpp"

namespace load {
namespace {

constexpr std::size_t kMaxConnections = 1500;
constexpr std::chrono::milliseconds kTick{1}, kProbe{2};
constexpr std::size_t kTicksPerSample = 100;  // of memory
/// How long a reply may take behind the last request before it counts as lost.
constexpr std::chrono::seconds kPatience{40};

}  // namespace

OpenLoop::~OpenLoop() {
  for (const auto& client : clients_) client->close();
  if (prober_ != nullptr) prober_->close();
}

Offered OpenLoop::run(double per_second, double seconds) {
  offered_ = {};
  per_second_ = per_second;
  n_due_ = 0;
  is_over_ = has_recovered_ = false;
  begin_ = Clock::now();
  end_ = begin_ + std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds));
  tick();
  run_until(
      io_, [this] { return is_over_ && has_recovered_ && n_open_ == 0; }, end_ + kPatience);
  offered_.n_lost += std::exchange(n_open_, 0);
  offered_.seconds = ms_between(begin_, last_) / 1000;
  for (const auto& client : clients_) {
    if (client->is_busy()) client->close();
  }
  if (prober_->is_busy()) prober_->close();
  free_ = clients_;
  return std::move(offered_);
}

/// Sends what is due since the last time.
void OpenLoop::tick() {
  const auto now = std::min(Clock::now(), end_);
  const auto n_due = static_cast<std::size_t>(per_second_ * ms_between(begin_, now) / 1000);
  for (; n_due_ < n_due; ++n_due_) send();
  if (n_ticks_++ % kTicksPerSample == 0) offered_.most_mib = std::max(offered_.most_mib, resident_mib(pid_));
  if (now == end_) {
    is_over_ = true;
    last_ = Clock::now();
    offered_.most_mib = std::max(offered_.most_mib, resident_mib(pid_));
    return probe();
  }
  timer_.expires_after(kTick);
  timer_.async_wait([this](const boost::system::error_code& error) {
    if (!error) tick();
  });
}

void OpenLoop::send() {
  if (free_.empty()) {
    if (clients_.size() >= kMaxConnections) {
      ++offered_.n_held_back;
      return;
    }
    clients_.push_back(std::make_shared<Client>(io_, target_));
    free_.push_back(clients_.back());
  }
  const auto client = free_.back();
  free_.pop_back();
  const std::size_t number = number_++;
  std::string id = "load-" + std::to_string(number);
  std::string request = target_.request("POST", "/v1/moderations", texts_.body(number), id);
  ++offered_.n_sent;
  ++n_open_;
  client->send(std::move(request), [this, client = client.get(), number, id = std::move(id),
                                    begin = Clock::now()](bool is_whole, Reply& reply) {
    --n_open_;
    free_.push_back(client->shared_from_this());
    take(number, id, ms_since(begin), is_whole, reply);
  });
}

void OpenLoop::take(std::size_t number, const std::string& id, double ms, bool is_whole, const Reply& reply) {
  if (!is_whole) {
    ++offered_.n_lost;
  } else if (reply.status == 200) {
    ++offered_.n_answered;
    offered_.answered_ms.push_back(ms);
    if (reply.request_id != id || !what_is_said(reply.body).is_same(texts_.said(number)))
      ++offered_.n_swapped;
  } else if ((reply.status == 429 || reply.status == 503) && reply.has_retry_after) {
    ++offered_.n_refused;
    offered_.refused_ms.push_back(ms);
    if (reply.request_id != id) ++offered_.n_swapped;
  } else {
    ++offered_.n_other;
  }
}

/// Asks again and again, one at a time, until there is a verdict.
void OpenLoop::probe() {
  if (prober_ == nullptr) prober_ = std::make_shared<Client>(io_, target_);
  prober_->send(target_.request("POST", "/v1/moderations", texts_.body(0)),
                [this, begin = Clock::now()](bool is_whole, Reply& reply) {
                  if (is_whole && reply.status == 200) {
                    offered_.accepted_ms = ms_between(last_, begin);
                    offered_.recovery_ms = ms_since(last_);
                    has_recovered_ = true;
                    return;
                  }
                  timer_.expires_after(kProbe);
                  timer_.async_wait([this](const boost::system::error_code& error) {
                    if (!error) probe();
                  });
                });
}

}  // namespace load
