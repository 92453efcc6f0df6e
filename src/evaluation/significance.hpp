// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_SIGNIFICANCE_HPP
#define QWEN3GUARD_SRC_EVALUATION_SIGNIFICANCE_HPP

#include <cstdint>
#include <span>
#include <vector>

#include "evaluation/bootstrap.hpp"

/// Whether two runs over the same rows differ by more than chance. Pure functions of counts.
namespace qwen3guard::evaluation {

/// The same rows judged by two runs, by what is counted in each: "is right", "found the harm", "raised an
/// alarm".
struct PairedCounts {
  std::int64_t both = 0, only_a = 0, only_b = 0, neither = 0;

  void add(bool in_a, bool in_b) noexcept;
  [[nodiscard]] std::int64_t n() const noexcept { return both + only_a + only_b + neither; }
  /// Rows in which the runs differ.
  [[nodiscard]] std::int64_t n_discordant() const noexcept { return only_a + only_b; }
  friend bool operator==(const PairedCounts&, const PairedCounts&) = default;
};

/// A difference of two shares, B minus A, and where it lies with 95 % confidence; in [-1, 1].
struct ShareDifference {
  double value = 0;
  Interval interval;
};

/// Of a share of k out of n, 95 % (Wilson 1927, doi:10.1080/01621459.1927.10502953): unlike the normal
/// approximation it says something sensible of 0 out of n. [0, 1] for n = 0.
[[nodiscard]] Interval wilson_interval(std::int64_t k, std::int64_t n) noexcept;

/// McNemar's exact test, two-sided: how probable counts at least as unequal as `only_a` and `only_b` are when
/// a row in which the runs differ is as likely to go either way. 1 when the runs never differ. Any counts
/// up to 2^40; values below 1e-300 may come out as 0. Takes time proportional to the root of their sum.
[[nodiscard]] double mcnemar_p(std::int64_t only_a, std::int64_t only_b) noexcept;

/// The p-value to which a 95 % interval around a difference belongs, as if that were normally distributed:
/// below 0.05 where a symmetric interval leaves out 0. 1 when the difference is 0, 0 when the interval has no
/// width.
[[nodiscard]] double p_of_interval(double difference, const Interval& interval) noexcept;

/// Holm's method: the p-values of tests that are made together, adjusted so that the chance of one or more
/// below 0.05 is at most 5 % when nothing differs, however the tests hang together. In the order given; each
/// at least what it was, at most 1. Throws std::bad_alloc.
[[nodiscard]] std::vector<double> holm_adjusted(std::span<const double> p_values);

/// How far apart the two shares are, and could be, by the adjusted Wald interval of Bonett and Price (2012):
/// it is not empty when no row differs, so that "no difference seen" never reads as "no difference". All of
/// [-1, 1] when there are no rows.
[[nodiscard]] ShareDifference share_difference(const PairedCounts& counts) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_SIGNIFICANCE_HPP
