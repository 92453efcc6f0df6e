// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <string>

#include "measured.hpp"
#include "measurements.hpp"
#include "open_loop.hpp"
#include "texts.hpp"
#include "worker.hpp"

namespace load {
namespace {

constexpr std::size_t kTexts = 512;

double capacity(boost::asio::io_context& io, const Target& ours, const KnownTexts& texts, double seconds) {
  Workers workers;
  for (std::size_t i = 0; i < 8; ++i)
    workers.push_back(make_poster(io, ours, "/v1/moderations",
                                  [&texts, i](std::size_t number) { return texts.body(i * 61 + number); }));
  return closed_loop(io, std::move(workers), seconds).per_second();
}

std::string mib(double value) { return value > 0 ? fixed(value, 1) : ""; }

}  // namespace

bool measure_load(boost::asio::io_context& io, const Options& options, const Target& ours) {
  const KnownTexts texts(io, ours, kTexts);
  const double per_second = capacity(io, ours, texts, options.seconds);
  std::printf(
      "capacity: %.0f verdicts a second (closed loop, 8 clients); %zu texts with %zu different verdicts\n\n",
      per_second, kTexts, texts.n_different());
  print_head({"times capacity", "offered/s", "answered/s", "answered", "p50, ms", "p99, ms", "refused",
              "p50, ms", "p99, ms", "max, ms", "other", "lost", "swapped", "held back", "MiB before",
              "at most", "after", "not refused after, ms", "verdict after, ms"},
             0);
  bool is_clean = true;
  for (const double times : options.load) {
    const double before = resident_mib(options.pid);
    OpenLoop loop(io, ours, texts, options.pid);
    const Offered offered = loop.run(times * per_second, options.seconds);
    is_clean = is_clean && offered.is_clean();
    print_row({fixed(times, 1), fixed(static_cast<double>(offered.n_sent) / offered.seconds, 0),
               fixed(static_cast<double>(offered.n_answered) / offered.seconds, 0),
               std::to_string(offered.n_answered), fixed(percentile(offered.answered_ms, 50)),
               fixed(percentile(offered.answered_ms, 99)), std::to_string(offered.n_refused),
               fixed(percentile(offered.refused_ms, 50)), fixed(percentile(offered.refused_ms, 99)),
               fixed(percentile(offered.refused_ms, 100)), std::to_string(offered.n_other),
               std::to_string(offered.n_lost), std::to_string(offered.n_swapped),
               std::to_string(offered.n_held_back), mib(before), mib(offered.most_mib),
               mib(resident_mib(options.pid)), fixed(offered.accepted_ms, 1), fixed(offered.recovery_ms, 1)});
  }
  return is_clean;
}

}  // namespace load
