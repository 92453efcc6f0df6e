// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_ERRORS_HPP
#define QWEN3GUARD_SRC_CLI_ERRORS_HPP

#include <limits>
#include <stdexcept>
#include <string>
#include <string_view>

#include "qwen3guard/quote.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitError = 2;
inline constexpr int kExitInterrupted = 130;  ///< as shells have it for Ctrl-C

/// The user asked for something that cannot be done; what() is the line that is shown.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// What is wrong with one line of the input. The lines behind it are read on.
struct LineError : UsageError {
  LineError(ErrorCode error_code, const std::string& what) : UsageError(what), code(error_code) {}
  ErrorCode code;
};

/// Text from outside as one line that a terminal shows and does not obey (quote.hpp), all of it.
[[nodiscard]] inline std::string escaped(std::string_view text) {
  return printable(text, std::numeric_limits<std::size_t>::max());
}

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_ERRORS_HPP
