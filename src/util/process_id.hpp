// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_PROCESS_ID_HPP
#define QWEN3GUARD_SRC_UTIL_PROCESS_ID_HPP

#ifdef _WIN32
#include <process.h>
#else
#include <unistd.h>
#endif

namespace qwen3guard::detail {

/// Another one in the child of a fork(), where none of the parent's threads run.
[[nodiscard]] inline long process_id() noexcept {
#ifdef _WIN32
  return _getpid();
#else
  return getpid();
#endif
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_PROCESS_ID_HPP
