// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "measured.hpp"
#include "measurements.hpp"
#include "open_loop.hpp"
#include "slow_clients.hpp"
#include "texts.hpp"
#include "worker.hpp"

namespace load {
namespace {

constexpr std::size_t kTexts = 256, kStreamers = 8;
/// What a minute begins with, in seconds: more than can be answered.
constexpr double kBurst_s = 10;
constexpr double kBurstTimes = 4;
/// Memory may rise by this much over what it was after three tenths of the time, when all has been done once.
constexpr double kMayRise = 1.1;

/// Workers that go on beside something else.
class Beside {
 public:
  Beside(boost::asio::io_context& io, Workers workers) : io_(io), workers_(std::move(workers)) {
    for (const auto& worker : workers_) begin(*worker);
  }
  std::size_t n_done = 0, n_errors = 0;
  std::vector<double> ms;

 private:
  void begin(Worker& worker) {
    worker.next([this, &worker](Worker::Outcome outcome) {
      ++(outcome.is_ok ? n_done : n_errors);
      if (outcome.is_ok) ms.push_back(outcome.ms);
      // A rest, so that a server that refuses is not asked without end.
      const auto timer = std::make_shared<boost::asio::steady_timer>(
          io_, outcome.is_ok ? std::chrono::milliseconds(20) : std::chrono::milliseconds(500));
      timer->async_wait([this, timer, &worker, alive = std::weak_ptr<int>(alive_)](const auto& error) {
        if (!error && !alive.expired()) begin(worker);
      });
    });
  }

  boost::asio::io_context& io_;
  std::shared_ptr<int> alive_ = std::make_shared<int>(0);
  Workers workers_;
};

class Soak {
 public:
  Soak(boost::asio::io_context& io, const Options& options, const Target& ours)
      : io_(io),
        options_(options),
        ours_(ours),
        texts_(io, ours, kTexts),
        loop_(io, ours, texts_, options.pid) {}

  bool run() {
    const double capacity = measure();
    std::printf("capacity: %.0f verdicts a second\n\n", capacity);
    print_head({"minute", "verdicts", "refused", "other", "lost", "swapped", "recovery, ms", "pieces",
                "piece p50, ms", "piece p99, ms", "pieces failed", "MiB"},
               0);
    const auto begin = Clock::now();
    const double minute_s = std::min(60.0, options_.soak_seconds / 10);
    double first_mib = 0, most_mib = 0;
    for (std::size_t minute = 1; ms_since(begin) / 1000 < options_.soak_seconds; ++minute) {
      one_minute(minute, capacity, minute_s);
      const double mib = resident_mib(options_.pid);
      if (ms_since(begin) / 1000 < 0.3 * options_.soak_seconds) continue;
      if (first_mib <= 0) first_mib = mib;
      most_mib = std::max(most_mib, mib);
    }
    const bool is_flat = most_mib <= kMayRise * first_mib;
    std::printf("\n%s: memory rose by %.1f %%, %zu requests, %zu lost, %zu swapped, %zu other replies\n",
                is_flat && is_clean() ? "passed" : "FAILED",
                first_mib > 0 ? 100 * (most_mib / first_mib - 1) : 0.0, n_sent_, n_lost_, n_swapped_,
                n_other_);
    return is_flat && is_clean();
  }

 private:
  [[nodiscard]] bool is_clean() const noexcept { return n_lost_ + n_swapped_ + n_other_ == 0; }

  double measure() {
    Workers workers;
    for (std::size_t i = 0; i < 8; ++i)
      workers.push_back(make_poster(io_, ours_, "/v1/moderations",
                                    [this, i](std::size_t number) { return texts_.body(i * 31 + number); }));
    return closed_loop(io_, std::move(workers), 3).per_second();
  }

  /// More than can be answered for a while, then half of what can; streams, slow and vanishing clients all
  /// along.
  void one_minute(std::size_t minute, double capacity, double seconds) {
    Workers workers;
    for (std::size_t i = 0; i < kStreamers; ++i)
      workers.push_back(make_streamer(io_, ours_, minute * 10 + i));
    SlowClients slow(io_, ours_, 9);
    slow.begin();
    Beside streams(io_, std::move(workers));
    const double burst_s = kBurst_s * seconds / 60;
    const Offered burst = loop_.run(kBurstTimes * capacity, burst_s);
    slow.talk(2);
    const Offered calm = loop_.run(capacity / 2, std::max(1.0, seconds - burst_s));
    n_sent_ += burst.n_sent + calm.n_sent;
    n_lost_ += burst.n_lost + calm.n_lost;
    n_swapped_ += burst.n_swapped + calm.n_swapped;
    n_other_ += burst.n_other + calm.n_other;
    print_row({std::to_string(minute), std::to_string(burst.n_answered + calm.n_answered),
               std::to_string(burst.n_refused + calm.n_refused), std::to_string(burst.n_other + calm.n_other),
               std::to_string(burst.n_lost + calm.n_lost), std::to_string(burst.n_swapped + calm.n_swapped),
               fixed(burst.recovery_ms, 1), std::to_string(streams.n_done), fixed(percentile(streams.ms, 50)),
               fixed(percentile(streams.ms, 99)), std::to_string(streams.n_errors),
               fixed(resident_mib(options_.pid), 1)});
  }

  boost::asio::io_context& io_;
  const Options& options_;
  const Target& ours_;
  KnownTexts texts_;
  OpenLoop loop_;
  std::size_t n_sent_ = 0, n_lost_ = 0, n_swapped_ = 0, n_other_ = 0;
};

}  // namespace

bool soak(boost::asio::io_context& io, const Options& options, const Target& ours) {
  return Soak(io, options, ours).run();
}

}  // namespace load
