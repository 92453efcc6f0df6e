// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_INTERVALS_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_INTERVALS_HPP

#include <optional>

#include "evaluation/bootstrap.hpp"
#include "evaluation/counts.hpp"

namespace qwen3guard::evaluation {

/// Of F-beta, over resamples of the rows that were counted (bootstrap_interval()). Empty when there is
/// nothing positive.
[[nodiscard]] std::optional<Interval> f_beta_interval(const Counts& counts, double beta,
                                                      const BootstrapOptions& options);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_INTERVALS_HPP
