// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_OPTIONS_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_OPTIONS_HPP

#include <cstddef>
#include <string>
#include <vector>

namespace load {

/// Of the command line.
struct Options {
  std::string url, peer_url;
  std::string key;                            ///< of ours; may be empty
  std::string peer_path = "/v1/moderations";  ///< or /v1/chat/completions
  std::string peer_model;
  std::vector<std::size_t> clients = {1, 8, 64};
  double seconds = 5;
  bool verdicts = true, streamed = true;
  int pid = 0;  ///< of our server
  /// Which measurements; without any: requests a second. @{
  std::vector<double> load;
  std::size_t n_idle_streams = 0, n_slow_clients = 0;
  double soak_seconds = 0;
  bool overhead = false;  /// @}
};

/// Throws std::runtime_error: what is wrong, or how to use it.
[[nodiscard]] Options read_options(int argc, char** argv);

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_OPTIONS_HPP
