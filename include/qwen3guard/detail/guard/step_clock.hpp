// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_STEP_CLOCK_HPP
#define QWEN3GUARD_DETAIL_GUARD_STEP_CLOCK_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>

namespace qwen3guard::detail {

/// How long a forward of so many rows takes on this machine now, learned from those that were run: mean and
/// mean deviation by size, which follow the machine's load. A plain value.
class StepClock {
 public:
  /// A forward of n rows has taken so long.
  void note(std::size_t n_rows, double ms) noexcept {
    Bucket& bucket = buckets_[index(n_rows)];
    if (!bucket.is_known) {
      bucket = {ms, 0, true};
      return;
    }
    constexpr double kWeight = 0.2;
    bucket.deviation_ms += kWeight * (std::abs(ms - bucket.mean_ms) - bucket.deviation_ms);
    bucket.mean_ms += kWeight * (ms - bucket.mean_ms);
  }

  /// The most rows, at most n, of a forward that is expected to take no longer than `ms`; 0 when not even the
  /// smallest is.
  [[nodiscard]] std::size_t fit(std::size_t n, double ms) const noexcept {
    for (std::size_t rows = n; rows > 0; rows = rows == 1 ? 0 : std::bit_floor(rows - 1)) {
      if (expect(rows) <= ms) return rows;
    }
    return 0;
  }

  /// Expected milliseconds, on the safe side; 0 before anything is known.
  [[nodiscard]] double expect(std::size_t n_rows) const noexcept {
    const std::size_t wanted = index(n_rows);
    // Rows of one size class take much the same; without experience the next known one scales.
    for (std::size_t distance = 0; distance < buckets_.size(); ++distance) {
      if (wanted >= distance && buckets_[wanted - distance].is_known)
        return limit(buckets_[wanted - distance]) * std::exp2(static_cast<double>(distance));
      if (wanted + distance < buckets_.size() && buckets_[wanted + distance].is_known)
        return limit(buckets_[wanted + distance]);
    }
    return 0;
  }

 private:
  struct Bucket {
    double mean_ms = 0, deviation_ms = 0;
    bool is_known = false;
  };
  [[nodiscard]] static double limit(const Bucket& bucket) noexcept {
    return bucket.mean_ms + 3 * bucket.deviation_ms;
  }
  /// 1; 2; 3 and 4; 5 to 8 ...
  [[nodiscard]] std::size_t index(std::size_t n_rows) const noexcept {
    return std::min<std::size_t>(buckets_.size() - 1, std::bit_width(n_rows == 0 ? n_rows : n_rows - 1));
  }

  std::array<Bucket, 14> buckets_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_GUARD_STEP_CLOCK_HPP
