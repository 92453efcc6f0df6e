// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_POLICY_IMPL_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_POLICY_IMPL_HPP

#include "guard/lists/phrase_matcher.hpp"
#include "qwen3guard/policy.hpp"

namespace qwen3guard {

/// What stands behind a policy that is not the default. Immutable.
class Policy::Impl {
 public:
  PolicySpec spec;
  detail::PhraseMatcher phrases;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_POLICY_IMPL_HPP
