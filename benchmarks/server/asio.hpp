// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_BENCHMARKS_SERVER_ASIO_HPP
#define QWEN3GUARD_BENCHMARKS_SERVER_ASIO_HPP

// Asio of Boost 1.74 uses std::exchange without including what has it.
#include <utility>
// The library's own order is by name, which would put the above last.
#include <boost/asio.hpp>

#endif  // QWEN3GUARD_BENCHMARKS_SERVER_ASIO_HPP
