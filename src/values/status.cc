// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/status.hpp"

#include "qwen3guard/version.hpp"

#define Q3G_STRINGIFY_INNER(x) #x
#define Q3G_STRINGIFY(x) Q3G_STRINGIFY_INNER(x)

namespace qwen3guard {

const char* to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::invalid_argument:
      return "invalid_argument";
    case ErrorCode::file_not_found:
      return "file_not_found";
    case ErrorCode::io_error:
      return "io_error";
    case ErrorCode::bad_checkpoint:
      return "bad_checkpoint";
    case ErrorCode::bad_tokenizer:
      return "bad_tokenizer";
    case ErrorCode::unsupported_model:
      return "unsupported_model";
    case ErrorCode::unsupported_isa:
      return "unsupported_isa";
    case ErrorCode::invalid_utf8:
      return "invalid_utf8";
    case ErrorCode::token_out_of_range:
      return "token_out_of_range";
    case ErrorCode::context_full:
      return "context_full";
    case ErrorCode::unparsable_output:
      return "unparsable_output";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::internal:
      return "internal";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::budget_exceeded:
      return "budget_exceeded";
  }
  return "unknown";
}

const char* version() noexcept {
  return Q3G_STRINGIFY(QWEN3GUARD_VERSION_MAJOR) "." Q3G_STRINGIFY(
      QWEN3GUARD_VERSION_MINOR) "." Q3G_STRINGIFY(QWEN3GUARD_VERSION_PATCH);
}

}  // namespace qwen3guard
