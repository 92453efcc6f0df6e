// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "measured.hpp"
#include "measurements.hpp"
#include "stream_client.hpp"
#include "texts.hpp"
#include "worker.hpp"

namespace load {
namespace {

/// Opens sessions with their events, a few at a time.
class IdleStreams {
 public:
  IdleStreams(boost::asio::io_context& io, const Target& ours, std::size_t n, std::string prompt)
      : io_(io), ours_(ours), n_(n), prompt_(std::move(prompt)) {}

  void open() {
    constexpr std::size_t kAtATime = 16;
    streams_.reserve(n_);
    for (std::size_t i = 0; i < std::min(kAtATime, n_); ++i) open_one();
    run_until(
        io_, [this] { return n_open_ + n_failed_ == n_; }, Clock::now() + std::chrono::seconds(120));
  }

  /// Tells every hundredth something; how many of those have had an event of it.
  std::pair<std::size_t, std::size_t> push_to_some() {
    std::size_t n_pushed = 0;
    n_events_ = 0;
    for (std::size_t i = 0; i < streams_.size(); i += 100, ++n_pushed)
      streams_[i]->push("Once upon a time there was a fox who liked the sea.", false, [](bool) {});
    run_until(
        io_, [&] { return n_events_ >= n_pushed; }, Clock::now() + std::chrono::seconds(10));
    return {n_pushed, n_events_};
  }

  void remove() {
    for (const auto& stream : streams_) wait_for(io_, [&](auto done) { stream->remove(std::move(done)); });
    streams_.clear();
  }

  [[nodiscard]] std::size_t n_open() const noexcept { return n_open_; }

 private:
  void open_one() {
    if (streams_.size() == n_) return;
    streams_.push_back(std::make_unique<StreamClient>(io_, ours_));
    StreamClient* stream = streams_.back().get();
    stream->open(
        prompt_, [this](std::string_view, std::string_view) { ++n_events_; },
        [this, stream](bool is_ok) {
          ++(is_ok ? n_open_ : n_failed_);
          stream->stop_pushing();
          open_one();
        });
  }

  boost::asio::io_context& io_;
  const Target& ours_;
  const std::size_t n_;
  const std::string prompt_;
  std::vector<std::unique_ptr<StreamClient>> streams_;
  std::size_t n_open_ = 0, n_failed_ = 0, n_events_ = 0;
};

double verdict_p50(boost::asio::io_context& io, const Target& ours, double seconds) {
  Workers workers;
  workers.push_back(make_poster(io, ours, "/v1/moderations",
                                [](std::size_t number) { return moderation_body(prompt_text(number)); }));
  return percentile(closed_loop(io, std::move(workers), seconds).ms, 50);
}

bool measure_with(boost::asio::io_context& io, const Options& options, const Target& ours, const char* what,
                  const std::string& prompt) {
  const double p50_before = verdict_p50(io, ours, options.seconds), mib_before = resident_mib(options.pid);
  IdleStreams streams(io, ours, options.n_idle_streams, prompt);
  const auto begin = Clock::now();
  streams.open();
  const double open_ms = ms_since(begin), mib_open = resident_mib(options.pid);
  const double p50 = verdict_p50(io, ours, options.seconds);
  const auto [n_pushed, n_events] = streams.push_to_some();
  const bool is_clean = streams.n_open() == options.n_idle_streams && n_events >= n_pushed;
  streams.remove();
  const auto n = static_cast<double>(options.n_idle_streams);
  print_row({what, std::to_string(streams.n_open()), fixed(open_ms / n), fixed(mib_before, 1),
             fixed(mib_open, 1), fixed((mib_open - mib_before) * 1024 / n, 1),
             fixed(resident_mib(options.pid), 1), fixed(p50_before), fixed(p50), std::to_string(n_pushed),
             std::to_string(n_events)});
  return is_clean;
}

}  // namespace

bool measure_idle_streams(boost::asio::io_context& io, const Options& options, const Target& ours) {
  print_head({"event streams", "opened", "opening one, ms", "MiB before", "MiB with them", "KiB each",
              "MiB after", "verdict p50 before, ms", "beside them, ms", "pushed to", "events"});
  const bool is_clean = measure_with(io, options, ours, "told nothing yet", "");
  return measure_with(io, options, ours, "with a prompt each", "Tell me a story, please.") && is_clean;
}

}  // namespace load
