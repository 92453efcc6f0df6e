// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_LINE_ERROR_HPP
#define QWEN3GUARD_SRC_WIRE_LINE_ERROR_HPP

#include <stdexcept>
#include <string>

#include "qwen3guard/status.hpp"

namespace qwen3guard::wire {

/// What is wrong with one line of input, or one request: JSON that was read, and does not say what it should.
struct LineError : std::runtime_error {
  LineError(ErrorCode error_code, const std::string& what) : std::runtime_error(what), code(error_code) {}
  ErrorCode code;
};

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_LINE_ERROR_HPP
