// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_NOT_CANCELLED_HPP
#define QWEN3GUARD_SRC_UTIL_NOT_CANCELLED_HPP

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// What a call ends with that has seen its flag up.
[[nodiscard]] inline Error cancelled_by_flag() {
  return {ErrorCode::cancelled, "the caller's cancel flag is up"};
}

/// For work between forwards, which look at the flag themselves. Errors: cancelled, when `cancel` is up; it
/// may be null.
[[nodiscard]] inline Status not_cancelled(const CancelFlag* cancel) {
  if (cancel == nullptr || !cancel->is_cancelled()) return {};
  return cancelled_by_flag();
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_NOT_CANCELLED_HPP
