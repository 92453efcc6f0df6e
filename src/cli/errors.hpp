// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_ERRORS_HPP
#define QWEN3GUARD_SRC_CLI_ERRORS_HPP

#include <stdexcept>
#include <string>

#include "cli/wire.hpp"
#include "qwen3guard/status.hpp"
#include "wire/escaped.hpp"
#include "wire/line_error.hpp"

namespace qwen3guard::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 2;
inline constexpr int kExitInterrupted = 130;  ///< as shells have it for Ctrl-C

/// The user asked for something that cannot be done; what() is the line that is shown.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_ERRORS_HPP
