// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_CALIBRATION_OUT_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_CALIBRATION_OUT_HPP

#include <cstdint>
#include <string>
#include <vector>

#include "evaluation/calibration/calibrate.hpp"
#include "qwen3guard/policy_spec.hpp"

namespace qwen3guard::cli {

/// For the intervals of F-beta.
inline constexpr std::int32_t kCalibrationResamples = 1000;

/// What a report on a calibration is about.
struct CalibrationReport {
  const PolicySpec& base;
  const evaluation::Calibration& found;
  const evaluation::FitOptions& options;
  bool has_texts = false;  ///< the rows' texts were known, so that lists could be followed
};

/// What a person should know before using a policy for a role, a sentence each: too few rows, weak labels,
/// rows left out, and what the data cannot show.
[[nodiscard]] std::vector<std::string> calibration_warnings(const CalibrationReport& report,
                                                            const evaluation::RoleCalibration& role);

/// Some lines for a person, for each role that has rows.
[[nodiscard]] std::string calibration_to_text(const CalibrationReport& report);

/// One line, without its end: the form "calibration" of output.schema.json.
[[nodiscard]] std::string calibration_to_json(const CalibrationReport& report);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_CALIBRATION_OUT_HPP
