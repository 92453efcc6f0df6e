// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_MEASUREMENTS_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_MEASUREMENTS_HPP

#include "client.hpp"
#include "options.hpp"

/// Each prints a table. Those that return bool: whether nothing was lost or swapped. They throw
/// std::runtime_error when a server does not answer at all.
namespace load {

/// Requests a second and their times, closed loop, ours and the peer's in turns.
void measure_rates(boost::asio::io_context& io, const Options& options, const Target& ours,
                   const Target* peer);
/// The same verdicts in this process and over HTTP, in turns.
void measure_overhead(boost::asio::io_context& io, const Options& options, const Target& ours);
/// Open loop at multiples of the capacity.
bool measure_load(boost::asio::io_context& io, const Options& options, const Target& ours);
/// Memory for event streams on which nothing happens, and verdicts beside them.
bool measure_idle_streams(boost::asio::io_context& io, const Options& options, const Target& ours);
/// What clients that read slowly, write slowly or vanish cost one that does not.
bool measure_slow_clients(boost::asio::io_context& io, const Options& options, const Target& ours);
/// Everything at the same time for long.
bool soak(boost::asio::io_context& io, const Options& options, const Target& ours);

}  // namespace load

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_MEASUREMENTS_HPP
