// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_GUARDED_HPP
#define QWEN3GUARD_SRC_UTIL_GUARDED_HPP

#include <exception>
#include <new>
#include <string>

#include "qwen3guard/quote.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// Runs body(), which returns a Status or a Result, and turns exceptions of the standard library into errors:
/// nothing is thrown across the public API.
template <class Body>
[[nodiscard]] auto guarded(const char* what, const Body& body) -> decltype(body()) {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    Error error{ErrorCode::out_of_memory, {}};
    try {
      error.detail = std::string(what) + ": not enough memory";
    } catch (const std::bad_alloc&) {
      // Not even for the sentence: the code says it.
    }
    return error;
  } catch (const std::exception& e) {
    return Error{ErrorCode::internal, std::string(what) + ": " + printable(e.what())};
  }
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_GUARDED_HPP
