// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_EXAMPLES_GAME_SERVER_REPORT_HPP
#define QWEN3GUARD_EXAMPLES_GAME_SERVER_REPORT_HPP

#include <cstddef>
#include <string>
#include <vector>

namespace game_server {

/// What a run measured, in milliseconds.
struct Report {
  std::vector<double> verdict_ms;  ///< from a push to its verdict
  std::vector<double> frame_ms;    ///< work of a frame, without the wait for the next
  std::size_t n_dropped_frames = 0;
  std::size_t n_late = 0;        ///< verdicts behind their deadline
  double oldest_waiting_ms = 0;  ///< the longest that something had waited at the end of a frame
};

/// The value that p percent (0 to 100) of `values` do not exceed; 0 for none. Sorts them.
[[nodiscard]] double percentile(std::vector<double>& values, double p);

/// "p50 1.20  p90 3.10  p99 5.00  max 7.31 ms".
[[nodiscard]] std::string percentiles(std::vector<double>& values);

}  // namespace game_server

#endif  // QWEN3GUARD_EXAMPLES_GAME_SERVER_REPORT_HPP
