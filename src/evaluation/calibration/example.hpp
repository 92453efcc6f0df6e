// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_CALIBRATION_EXAMPLE_HPP
#define QWEN3GUARD_SRC_EVALUATION_CALIBRATION_EXAMPLE_HPP

#include <string>

#include "evaluation/record.hpp"

namespace qwen3guard::evaluation {

/// A labelled row that a model judged: what a calibration learns from.
struct Example {
  Role role = Role::user;
  Gold gold;
  /// A Stream checkpoint's has its token verdicts (ClassifyOptions::keep_token_verdicts).
  Verdict verdict;
  /// The judged message. Lists need it: without it, a base policy's lists have no part in the figures.
  std::string text;
  /// Rows of one group, such as those with the same text, are never divided between training and test.
  /// Empty: a group of its own.
  std::string group;
};

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_CALIBRATION_EXAMPLE_HPP
