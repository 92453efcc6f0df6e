// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_STATUS_HPP
#define QWEN3GUARD_STATUS_HPP

/// @file
/// Errors, and results that may be one. Without exceptions (-fno-exceptions) what throws is not there:
/// Exception, Result::value and throw_if_error. ok(), error() and * are the way then.

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

/// 1 where the compiler has exceptions, else 0; a program may say which it is to be.
#ifndef Q3G_HAS_EXCEPTIONS
#if defined(__cpp_exceptions) || defined(_CPPUNWIND)
#define Q3G_HAS_EXCEPTIONS 1
#else
#define Q3G_HAS_EXCEPTIONS 0
#endif
#endif

namespace qwen3guard {

/// Why a call failed. The numbers are stable: values are appended, never changed.
enum class ErrorCode : std::int32_t {
  invalid_argument = 1,    ///< a parameter breaks the function's contract
  file_not_found = 2,      ///< a path does not exist
  io_error = 3,            ///< the operating system refused to open, map or read
  bad_checkpoint = 4,      ///< a model file is damaged: truncated, misshapen, overlapping, not JSON ...
  bad_tokenizer = 5,       ///< tokenizer.json, vocab.json, merges.txt or *.tiktoken is damaged
  unsupported_model = 6,   ///< a sound file that asks for something this library does not have
  unsupported_isa = 7,     ///< the forced instruction set is unknown or missing on this CPU
  invalid_utf8 = 8,        ///< text is not UTF-8; the detail has the byte offset
  token_out_of_range = 9,  ///< a token id is not in [0, vocab_size)
  context_full = 10,       ///< more tokens than the context has room for
  unparsable_output = 11,  ///< greedy decoding wrote something that is no verdict
  out_of_memory = 12,      ///< an allocation failed
  internal = 13,           ///< a bug in this library
  cancelled = 14,          ///< the caller's own callback or flag asked to stop
  budget_exceeded = 15,    ///< a StreamBatch's bound on memory or on waiting text
};

/// The enumerator's name, e.g. "bad_checkpoint". Static storage; "unknown" for values out of range.
[[nodiscard]] const char* to_string(ErrorCode code) noexcept;

/// One failure: a code to branch on and one sentence for a person that says what was wrong, where
/// (file, tensor, offset) and what was expected.
struct Error {
  ErrorCode code = ErrorCode::internal;  ///< for programs
  std::string detail;                    ///< for people; UTF-8, its wording may change
};

#if Q3G_HAS_EXCEPTIONS
/// Thrown by the accessors that throw (Result::value, Status::throw_if_error) and by nothing else.
class Exception : public std::runtime_error {
 public:
  /// what() is the code's name and the detail.
  explicit Exception(const Error& error)
      : std::runtime_error(std::string(to_string(error.code)) + ": " + error.detail), code_(error.code) {}
  /// The code of the error that was thrown.
  [[nodiscard]] ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};
#endif

/// Success, or an Error. A plain value.
class [[nodiscard]] Status {
 public:
  /// Success.
  Status() = default;
  /// A failure.
  Status(Error error)
      : state_(std::move(error)) {}  // NOLINT(google-explicit-constructor): `return Error{...};`

  /// True for a success. @{
  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  /// @}

  /// The failure; lives as long as this. Precondition: !ok(). @{
  [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
  [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }
  /// @}

#if Q3G_HAS_EXCEPTIONS
  /// Throws Exception when this is an error.
  void throw_if_error() const {
    if (!ok()) throw Exception(error());
  }
#endif

 private:
  std::variant<std::monostate, Error> state_;
};

/// A T, or an Error. Move-only when T is.
template <class T>
class [[nodiscard]] Result {
 public:
  /// A value.
  Result(T value)
      : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT(google-explicit-constructor)
  /// A failure.
  Result(Error error)
      : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  /// True when there is a value. @{
  [[nodiscard]] bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  /// @}

  /// Unchecked access. Precondition: ok(). @{
  [[nodiscard]] T& operator*() & noexcept { return *std::get_if<0>(&state_); }
  [[nodiscard]] const T& operator*() const& noexcept { return *std::get_if<0>(&state_); }
  [[nodiscard]] T operator*() && { return std::move(*std::get_if<0>(&state_)); }
  [[nodiscard]] T* operator->() noexcept { return std::get_if<0>(&state_); }
  [[nodiscard]] const T* operator->() const noexcept { return std::get_if<0>(&state_); }
  /// @}

#if Q3G_HAS_EXCEPTIONS
  /// Checked access: throws Exception when this is an error. @{
  [[nodiscard]] T& value() & { return check(), **this; }
  [[nodiscard]] const T& value() const& { return check(), **this; }
  /// @}
  /// On a temporary it returns the value itself, so that `for (x : f().value())` iterates over something
  /// alive.
  [[nodiscard]] T value() && { return check(), *std::move(*this); }

  /// Throws Exception when this is an error; for calls whose value is of no interest.
  void throw_if_error() const { check(); }
#endif

  /// The failure; lives as long as this. Precondition: !ok(). @{
  [[nodiscard]] const Error& error() const& { return std::get<1>(state_); }
  [[nodiscard]] Error&& error() && { return std::get<1>(std::move(state_)); }
  /// @}

 private:
#if Q3G_HAS_EXCEPTIONS
  void check() const {
    if (!ok()) throw Exception(error());
  }
#endif
  std::variant<T, Error> state_;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_STATUS_HPP
