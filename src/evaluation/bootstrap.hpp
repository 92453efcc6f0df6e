// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_BOOTSTRAP_HPP
#define QWEN3GUARD_SRC_EVALUATION_BOOTSTRAP_HPP

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace qwen3guard::evaluation {

struct Interval {
  double low = 0, high = 0;

  friend bool operator==(const Interval&, const Interval&) = default;
};

struct BootstrapOptions {
  std::int32_t n_resamples = 1000;  ///< 0: no intervals
  std::uint64_t seed = 1;
};

/// A statistic of rows of which row i is there weights[i] times. Empty where it is not defined.
using Statistic = std::function<std::optional<double>(std::span<const std::uint32_t> weights)>;

/// The 95 % percentile interval of a statistic over resamples of n_rows rows with replacement (Efron 1979).
/// The same rows, options and statistic give the same interval on every platform, and two statistics see the
/// same resamples. Resamples on which the statistic is not defined are left out; empty when that is most of
/// them, and without rows or resamples. Time: n_resamples * (n_rows + that of the statistic).
[[nodiscard]] std::optional<Interval> bootstrap_interval(std::size_t n_rows, const BootstrapOptions& options,
                                                         const Statistic& statistic);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_BOOTSTRAP_HPP
