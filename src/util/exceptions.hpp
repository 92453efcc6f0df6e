// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_EXCEPTIONS_HPP
#define QWEN3GUARD_SRC_UTIL_EXCEPTIONS_HPP

#include <cstdlib>
#include <new>

#include "qwen3guard/status.hpp"

/// Exceptions, of which there may be none (-fno-exceptions; Q3G_HAS_EXCEPTIONS is 0). The only one that our
/// code throws is std::bad_alloc. Without exceptions an allocation that fails ends the process, as is usual
/// in such a build. What has to be taken back on the way out of a function is a Rollback (util/rollback.hpp),
/// and errors are values: try, catch and throw stand here, in guarded() and where the C interface ends, and
/// nowhere else.
namespace qwen3guard::detail {

/// Says that there is no memory.
[[noreturn]] inline void throw_bad_alloc() {
#if Q3G_HAS_EXCEPTIONS
  throw std::bad_alloc();
#else
  std::abort();
#endif
}

/// What body() returns; where it throws std::bad_alloc, what otherwise() returns.
template <class Body, class Otherwise>
auto if_memory_lasts(const Body& body, const Otherwise& otherwise) -> decltype(body()) {
#if Q3G_HAS_EXCEPTIONS
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return otherwise();
  }
#else
  static_cast<void>(otherwise);
  return body();
#endif
}

/// Runs body(). False: it threw std::bad_alloc.
template <class Body>
[[nodiscard]] bool if_memory_lasts(const Body& body) {
  return if_memory_lasts([&] { return body(), true; }, [] { return false; });
}

/// Runs body(). False: it threw. For what may lack more than memory, such as the start of a thread.
template <class Body>
[[nodiscard]] bool if_nothing_throws(const Body& body) {
#if Q3G_HAS_EXCEPTIONS
  try {
    body();
  } catch (...) {
    return false;
  }
#else
  body();
#endif
  return true;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_EXCEPTIONS_HPP
