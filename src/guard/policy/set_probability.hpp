// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_SET_PROBABILITY_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_SET_PROBABILITY_HPP

#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// Sets the probability of a severity that a model tells apart; not_judged has none.
inline void set_probability(SeverityProbabilities& probabilities, Severity severity, float value) noexcept {
  switch (severity) {
    case Severity::not_judged:
      break;
    case Severity::safe:
      probabilities.safe = value;
      break;
    case Severity::controversial:
      probabilities.controversial = value;
      break;
    case Severity::unsafe:
      probabilities.unsafe = value;
      break;
  }
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_SET_PROBABILITY_HPP
