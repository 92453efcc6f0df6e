// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_GUARDED_HPP
#define QWEN3GUARD_SRC_UTIL_GUARDED_HPP

#include <exception>
#include <new>

#include "qwen3guard/status.hpp"
#include "util/exceptions.hpp"

namespace qwen3guard::detail {

/// Of `what`, a call, which had no memory. Without its sentence when there is none for that either.
[[nodiscard]] Error not_enough_memory(const char* what) noexcept;
/// Of `what`, where something else was thrown; likewise.
[[nodiscard]] Error unexpected(const char* what, const std::exception& thrown) noexcept;
/// The same; an error goes without its sentence when there is no memory for it.
[[nodiscard]] Status copy_of(const Status& status) noexcept;

/// Runs body(), which returns a Status or a Result, and turns exceptions of the standard library into errors:
/// nothing is thrown across the public API.
template <class Body>
[[nodiscard]] auto guarded(const char* what, const Body& body) -> decltype(body()) {
#if Q3G_HAS_EXCEPTIONS
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return not_enough_memory(what);
  } catch (const std::exception& thrown) {
    return unexpected(what, thrown);
  }
#else
  static_cast<void>(what);
  return body();
#endif
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_GUARDED_HPP
