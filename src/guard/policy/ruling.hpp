// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_POLICY_RULING_HPP
#define QWEN3GUARD_SRC_GUARD_POLICY_RULING_HPP

#include "qwen3guard/policy.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// A ruling that says nothing yet but whose it is. Throws std::bad_alloc.
[[nodiscard]] inline Ruling empty_ruling(const Policy& policy) {
  Ruling out;
  out.policy_name = policy.name();
  out.policy_version = policy.version();
  return out;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_POLICY_RULING_HPP
