// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_BATCH_TIME_SOURCE_HPP
#define QWEN3GUARD_SRC_GUARD_BATCH_TIME_SOURCE_HPP

#include <chrono>
#include <cstddef>

namespace qwen3guard::detail {

/// Where a batch reads the time. Tests have one of their own, so that nothing in them depends on how fast the
/// machine is. Thread-safe.
class TimeSource {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  TimeSource() = default;
  TimeSource(const TimeSource&) = delete;
  TimeSource& operator=(const TimeSource&) = delete;
  virtual ~TimeSource() = default;

  /// Never earlier than before.
  [[nodiscard]] virtual TimePoint now() const noexcept { return std::chrono::steady_clock::now(); }
  /// A forward of n rows has just run: the place where a test's time goes on.
  virtual void end_forward(std::size_t /*n_rows*/) noexcept {}
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_BATCH_TIME_SOURCE_HPP
