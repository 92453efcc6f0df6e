// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_TEMPERATURE_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_TEMPERATURE_HPP

#include <cstdint>
#include <span>

#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::evaluation {

/// A row's probabilities, and whether it is harmful in the policy's mode.
struct ProbabilityRow {
  SeverityProbabilities probabilities;
  bool is_positive = false;
};

/// The mean negative log likelihood of the labels when a policy's score (strict: P(Unsafe) +
/// P(Controversial), loose: P(Unsafe)) at this temperature is taken for the probability that a row is
/// harmful. Rows without probabilities are passed over; 0 when there are none. A probability is taken to be
/// at least 1e-7 away from 0 and 1, as floats tell no more.
[[nodiscard]] double negative_log_likelihood(std::span<const ProbabilityRow> rows, Mode mode,
                                             double temperature) noexcept;

/// The temperature in [0.05, 20] where that is lowest (Guo et al. 2017, arXiv:1706.04599, section 4.2), with
/// three decimals.
[[nodiscard]] float fit_temperature(std::span<const ProbabilityRow> rows, Mode mode) noexcept;

/// A temperature, and the mean negative log likelihood of rows that it was not fitted on, beside that of 1.
struct TemperatureChoice {
  float temperature = 1;
  double held_out = 0, held_out_at_1 = 0;
};

/// The fitted temperature where fitting one lowers the likelihood's loss on held-out rows, else 1. folds: of
/// each row (folds.hpp); empty: there are too few rows to tell, so 1.
[[nodiscard]] TemperatureChoice choose_temperature(std::span<const ProbabilityRow> rows,
                                                   std::span<const std::int32_t> folds, Mode mode);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_TEMPERATURE_HPP
