// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CAPI_CALL_HPP
#define QWEN3GUARD_CAPI_CALL_HPP

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "qwen3guard.h"
#include "qwen3guard/status.hpp"
#include "util/concat.hpp"
#include "util/try.hpp"

namespace qwen3guard::capi {

/// An error of the C interface, which has more codes than ErrorCode. The message is put together as concat()
/// does.
template <class... Parts>
[[nodiscard]] Error failure(q3g_status code, const Parts&... message) {
  return {static_cast<ErrorCode>(code), detail::concat(message...)};
}
template <class... Parts>
[[nodiscard]] Error bad_argument(const Parts&... message) {
  return failure(Q3G_E_INVALID_ARGUMENT, message...);
}
[[nodiscard]] inline q3g_status code_of(const Error& error) noexcept {
  return static_cast<q3g_status>(error.code);
}
[[nodiscard]] inline q3g_status code_of(const Status& status) noexcept {
  return status.ok() ? Q3G_OK : code_of(status.error());
}

/// False: `err` is too small to be an error slot.
[[nodiscard]] bool is_error_slot(const q3g_error* err) noexcept;
/// Fills an error slot, or one of an array, of `size` bytes.
void write_error(q3g_error* err, std::size_t size, q3g_status code, std::string_view message) noexcept;
inline void write_error(q3g_error* err, q3g_status code, std::string_view message) noexcept {
  if (err != nullptr) write_error(err, err->struct_size, code, message);
}
/// The code of what came of a function of the C interface, which goes to its error slot.
[[nodiscard]] q3g_status finish(q3g_error* err, const char* function, const Status& status) noexcept;
#if Q3G_HAS_EXCEPTIONS
/// The same of the exception that is being handled.
[[nodiscard]] q3g_status finish_with_current_exception(q3g_error* err) noexcept;
#endif

/// Runs the body of a function of the C interface, which returns a Status. Whatever it throws becomes an
/// error.
template <class Body>
[[nodiscard]] q3g_status call(q3g_error* err, const char* function, const Body& body) noexcept {
  if (err != nullptr && !is_error_slot(err)) return Q3G_E_INVALID_ARGUMENT;
#if Q3G_HAS_EXCEPTIONS
  try {
    return finish(err, function, body());
  } catch (...) {
    return finish_with_current_exception(err);
  }
#else
  return finish(err, function, body());
#endif
}

}  // namespace qwen3guard::capi

#endif  // QWEN3GUARD_CAPI_CALL_HPP
