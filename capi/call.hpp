// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CAPI_CALL_HPP
#define QWEN3GUARD_CAPI_CALL_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "qwen3guard.h"
#include "qwen3guard/status.hpp"
#include "util/concat.hpp"

namespace qwen3guard::capi {

/// How a function of the C interface fails; thrown within this folder only, and caught by call().
struct CallError {
  CallError(q3g_status status, std::string text) : code(status), message(std::move(text)) {}
  explicit CallError(const Error& error) : code(static_cast<q3g_status>(error.code)), message(error.detail) {}
  q3g_status code;
  std::string message;
};

/// The message is put together as concat() does.
template <class... Parts>
[[noreturn]] void bad_argument(const Parts&... message) {
  throw CallError(Q3G_E_INVALID_ARGUMENT, detail::concat(message...));
}

/// The value of a Result. Throws CallError.
template <class T>
[[nodiscard]] T take(Result<T> result) {
  if (!result.ok()) throw CallError(result.error());
  return *std::move(result);
}
inline void take(const Status& status) {
  if (!status.ok()) throw CallError(status.error());
}

/// False: `err` is too small to be an error slot.
[[nodiscard]] bool is_error_slot(const q3g_error* err) noexcept;
/// Fills an error slot, or one of an array, of `size` bytes.
void write_error(q3g_error* err, std::size_t size, q3g_status code, std::string_view message) noexcept;
inline void write_error(q3g_error* err, q3g_status code, std::string_view message) noexcept {
  if (err != nullptr) write_error(err, err->struct_size, code, message);
}
/// The status and message of the exception that is being handled.
[[nodiscard]] q3g_status fail_with_current_exception(q3g_error* err, const char* function) noexcept;

/// Runs the body of a function of the C interface: whatever it throws becomes a status.
template <class Body>
[[nodiscard]] q3g_status call(q3g_error* err, const char* function, const Body& body) noexcept {
  if (err != nullptr && !is_error_slot(err)) return Q3G_E_INVALID_ARGUMENT;
  try {
    body();
  } catch (...) {
    return fail_with_current_exception(err, function);
  }
  if (err != nullptr) {
    err->code = Q3G_OK;
    err->message[0] = '\0';
  }
  return Q3G_OK;
}

}  // namespace qwen3guard::capi

#endif  // QWEN3GUARD_CAPI_CALL_HPP
