// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_BATCH_STEP_CLOCK_HPP
#define QWEN3GUARD_SRC_GUARD_BATCH_STEP_CLOCK_HPP

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

namespace qwen3guard::detail {

/// How long a forward of so many rows takes on this machine now, learned from those that were run. Of each
/// size class the last few count, so that what was slow once is forgotten soon. A plain value.
class StepClock {
 public:
  /// Of a forward that is there to gather experience.
  static constexpr std::size_t kFirstRows = 8;

  /// A forward of n rows has taken so long.
  void note(std::size_t n_rows, double ms) noexcept {
    Bucket& bucket = buckets_[index(n_rows)];
    bucket.last_ms[bucket.n_noted++ % kKept] = ms;
    bucket.number = ++n_notes_;
  }

  /// The most rows, at most n, of a forward that is expected to take no longer than `ms`; 0 when not even the
  /// smallest is.
  [[nodiscard]] std::size_t fit(std::size_t n, double ms) const noexcept {
    for (std::size_t rows = n; rows > 0; rows = rows == 1 ? 0 : std::bit_floor(rows - 1)) {
      if (expect(rows) <= ms) return rows;
    }
    return 0;
  }

  /// The rows, at most n, of a forward that is to be short: as few as make it much shorter, and as many as
  /// make it little longer. A size without experience is tried when it is next to one that has some.
  [[nodiscard]] std::size_t least(std::size_t n) const noexcept {
    constexpr double kLittle = 1.5;
    std::size_t rows = std::min(n, kFirstRows);
    if (is_new()) return rows;
    for (; rows > 1; rows = (rows + 1) / 2) {
      const std::size_t fewer = (rows + 1) / 2;
      if (!is_known(rows)) return rows;
      if (!is_known(fewer)) return fewer;
      if (kLittle * expect(fewer) >= expect(rows)) break;
    }
    for (const double shortest_ms = expect(rows); rows < n;) {
      const std::size_t more = std::min(n, 2 * rows);
      if (!is_known(rows)) return rows;
      if (is_known(more) && expect(more) > kLittle * shortest_ms) return rows;
      rows = more;
    }
    return rows;
  }

  /// Nothing was noted yet.
  [[nodiscard]] bool is_new() const noexcept { return n_notes_ == 0; }

  /// Expected milliseconds, on the safe side; 0 before anything is known.
  [[nodiscard]] double expect(std::size_t n_rows) const noexcept {
    const std::size_t wanted = index(n_rows);
    const Bucket* at = nearest(wanted);
    if (at == nullptr) return 0;
    double ms = most_ms(*at, wanted);
    // Newer experience of other sizes corrects it: more rows take no less, and no more than in proportion.
    while ((at = next_newer(at->number)) != nullptr)
      ms = std::clamp(ms, least_ms(*at, wanted), most_ms(*at, wanted));
    return ms;
  }

 private:
  static constexpr std::size_t kKept = 5;
  struct Bucket {
    std::array<double, kKept> last_ms{};
    std::size_t n_noted = 0;
    std::uint64_t number = 0;  // of its last note; 0: it has none
  };

  /// The second longest of those kept: one that the machine held up says nothing about the next.
  [[nodiscard]] static double usual_ms(const Bucket& bucket) noexcept {
    double first = 0, second = 0;
    for (std::size_t i = 0; i < std::min(bucket.n_noted, kKept); ++i) {
      second = std::max(second, std::min(first, bucket.last_ms[i]));
      first = std::max(first, bucket.last_ms[i]);
    }
    return bucket.n_noted == 1 ? first : second;
  }
  /// What a bucket says of the class `wanted`. @{
  [[nodiscard]] double most_ms(const Bucket& bucket, std::size_t wanted) const noexcept {
    return usual_ms(bucket) * std::exp2(std::max(distance(bucket, wanted), 0));
  }
  [[nodiscard]] double least_ms(const Bucket& bucket, std::size_t wanted) const noexcept {
    return usual_ms(bucket) * std::exp2(std::min(distance(bucket, wanted), 0));
  }
  [[nodiscard]] int distance(const Bucket& bucket, std::size_t wanted) const noexcept {
    return static_cast<int>(wanted) - static_cast<int>(&bucket - buckets_.data());
  }  /// @}

  [[nodiscard]] const Bucket* nearest(std::size_t wanted) const noexcept {
    for (std::size_t away = 0; away < buckets_.size(); ++away) {
      if (wanted >= away && buckets_[wanted - away].number > 0) return &buckets_[wanted - away];
      if (wanted + away < buckets_.size() && buckets_[wanted + away].number > 0)
        return &buckets_[wanted + away];
    }
    return nullptr;
  }
  /// The bucket noted soonest after that note; null when it was the last.
  [[nodiscard]] const Bucket* next_newer(std::uint64_t number) const noexcept {
    const Bucket* out = nullptr;
    for (const Bucket& bucket : buckets_) {
      if (bucket.number > number && (out == nullptr || bucket.number < out->number)) out = &bucket;
    }
    return out;
  }
  [[nodiscard]] bool is_known(std::size_t n_rows) const noexcept {
    return buckets_[index(n_rows)].number > 0;
  }
  /// 1; 2; 3 and 4; 5 to 8 ...
  [[nodiscard]] std::size_t index(std::size_t n_rows) const noexcept {
    return std::min<std::size_t>(buckets_.size() - 1, std::bit_width(n_rows == 0 ? n_rows : n_rows - 1));
  }

  std::array<Bucket, 14> buckets_;
  std::uint64_t n_notes_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_BATCH_STEP_CLOCK_HPP
