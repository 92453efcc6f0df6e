// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_INTERVALS_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_INTERVALS_HPP

#include <cstdint>
#include <optional>

#include "evaluation/bootstrap.hpp"
#include "evaluation/counts.hpp"

namespace qwen3guard::evaluation {

/// Of a share of k out of n, 95 % (Wilson 1927, doi:10.1080/01621459.1927.10502953): unlike the normal
/// approximation it says something sensible of 0 out of n. [0, 1] for n = 0.
[[nodiscard]] Interval wilson_interval(std::int64_t k, std::int64_t n) noexcept;

/// Of F-beta, over resamples of the rows that were counted (bootstrap_interval()). Empty when there is
/// nothing positive.
[[nodiscard]] std::optional<Interval> f_beta_interval(const Counts& counts, double beta,
                                                      const BootstrapOptions& options);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_INTERVALS_HPP
