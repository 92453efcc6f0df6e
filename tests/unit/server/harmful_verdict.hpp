// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_SERVER_HARMFUL_VERDICT_HPP
#define QWEN3GUARD_TESTS_UNIT_SERVER_HARMFUL_VERDICT_HPP

#include <utility>
#include <vector>

#include "qwen3guard/verdict.hpp"

/// An Unsafe verdict with these numbers.
inline qwen3guard::Verdict harmful_verdict(qwen3guard::SeverityProbabilities probabilities,
                                           std::vector<qwen3guard::CategoryScore> categories) {
  qwen3guard::Verdict verdict;
  verdict.severity = qwen3guard::Severity::unsafe;
  verdict.probabilities = probabilities;
  verdict.categories = std::move(categories);
  return verdict;
}

#endif  // QWEN3GUARD_TESTS_UNIT_SERVER_HARMFUL_VERDICT_HPP
