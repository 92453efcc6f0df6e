// SPDX-License-Identifier: Apache-2.0
// Loads a running `qwen3guard serve` and measures; README.md says what the tables mean. One thread and an
// event loop, so that many clients cost the machine little beside the server. The exit code is 1 when
// something was lost or swapped.
#include <sys/resource.h>

#include <cstdio>
#include <exception>
#include <optional>

#include "measurements.hpp"

namespace {

/// Each client is a file descriptor.
void raise_descriptor_limit() {
  rlimit limit = {};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

bool run(const load::Options& options) {
  boost::asio::io_context io(1);
  load::Target ours = load::Target::resolve(io, options.url);
  ours.key = options.key;
  if (options.soak_seconds > 0) return load::soak(io, options, ours);
  bool is_clean = true, has_run = false;
  if (options.overhead) {
    load::measure_overhead(io, options, ours);
    has_run = true;
  }
  if (!options.load.empty()) {
    is_clean = load::measure_load(io, options, ours) && is_clean;
    has_run = true;
  }
  if (options.n_idle_streams > 0) {
    is_clean = load::measure_idle_streams(io, options, ours) && is_clean;
    has_run = true;
  }
  if (options.n_slow_clients > 0) {
    is_clean = load::measure_slow_clients(io, options, ours) && is_clean;
    has_run = true;
  }
  if (has_run) return is_clean;
  std::optional<load::Target> peer;
  if (!options.peer_url.empty()) peer = load::Target::resolve(io, options.peer_url);
  load::measure_rates(io, options, ours, peer ? &*peer : nullptr);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    raise_descriptor_limit();
    return run(load::read_options(argc, argv)) ? 0 : 1;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 2;
  }
}
