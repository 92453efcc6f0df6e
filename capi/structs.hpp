// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_CAPI_STRUCTS_HPP
#define QWEN3GUARD_CAPI_STRUCTS_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "call.hpp"
#include "qwen3guard.h"
#include "util/concat.hpp"

/// Reading and writing the caller's structs, whose sizes are those of the header it was compiled with.
namespace qwen3guard::capi {

/// No struct will ever be larger; a size above is a mistake.
inline constexpr std::size_t kLargestSize = std::size_t{1} << 16;

/// What sizeof(T) is or will be in some version of the header, of which this one is the first.
template <class T>
[[nodiscard]] constexpr bool is_size_of(std::size_t size) noexcept {
  return size >= sizeof(T) && size <= kLargestSize && size % alignof(T) == 0;
}

/// The caller's size of a struct.
template <class T>
[[nodiscard]] Result<std::size_t> size_of(const T* at, const char* name) {
  if (at == nullptr) return bad_argument(name, " is NULL");
  std::uint32_t size = 0;
  std::memcpy(&size, at, sizeof size);
  if (!is_size_of<T>(size)) {
    return bad_argument(name, ".struct_size is ", size, "; expected at least ", sizeof(T), ", a multiple of ",
                        alignof(T), " (the caller's sizeof)");
  }
  return std::size_t{size};
}

/// A struct as this version has it: fields that the caller does not know are as in `out`. An error when
/// it has fields that are unknown here and not zero.
template <class T>
[[nodiscard]] Result<T> read_struct(const T* at, const char* name, T out) {
  Q3G_ASSIGN(const std::size_t size, size_of(at, name));
  std::memcpy(static_cast<void*>(&out), at, std::min(size, sizeof(T)));
  const auto* bytes = reinterpret_cast<const unsigned char*>(at);
  for (std::size_t i = sizeof(T); i < size; ++i) {
    if (bytes[i] != 0)
      return bad_argument(name, " asks for something that this version of the library does not have");
  }
  return out;
}

/// Writes as much of `value` as the caller knows. Fields unknown here become zero.
template <class T>
void write_struct(T* at, std::size_t size, T value) noexcept {
  value.struct_size = static_cast<std::uint32_t>(size);
  std::memcpy(static_cast<void*>(at), &value, std::min(size, sizeof(T)));
  if (size > sizeof(T)) std::memset(reinterpret_cast<unsigned char*>(at) + sizeof(T), 0, size - sizeof(T));
}

/// A struct to be written, checked before anything is done; NULL when the caller does not want it.
template <class T>
class Out {
 public:
  /// at: NULL, or a struct of `size` bytes.
  Out(T* at, std::size_t size) noexcept : at_(at), size_(size) {}
  [[nodiscard]] bool is_wanted() const noexcept { return at_ != nullptr; }
  void write(const T& value) const noexcept {
    if (at_ != nullptr) write_struct(at_, size_, value);
  }
  [[nodiscard]] T* at() const noexcept { return at_; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  T* at_;
  std::size_t size_;
};

/// One that the caller must give.
template <class T>
[[nodiscard]] Result<Out<T>> need(T* at, const char* name) {
  Q3G_ASSIGN(const std::size_t size, size_of(at, name));
  return Out<T>(at, size);
}
/// One that may be NULL.
template <class T>
[[nodiscard]] Result<Out<T>> wanted(T* at, const char* name) {
  if (at == nullptr) return Out<T>(nullptr, 0);
  return need(at, name);
}

/// An array of the caller's structs; the first one's size is the step.
template <class T>
class Elements {
 public:
  /// name: lives as long as this.
  [[nodiscard]] static Result<Elements> of(T* first, std::size_t n, const char* name) {
    if (n == 0) return Elements(first, 0, 0, name);
    Q3G_ASSIGN(const std::size_t step, size_of(first, name));
    if (n > static_cast<std::size_t>(PTRDIFF_MAX) / step)
      return bad_argument(name, ": ", n, " elements are more than memory holds");
    return Elements(first, n, step, name);
  }
  [[nodiscard]] std::size_t size() const noexcept { return n_; }
  [[nodiscard]] std::size_t step() const noexcept { return step_; }
  [[nodiscard]] T* at(std::size_t i) const noexcept {
    using Byte = std::conditional_t<std::is_const_v<T>, const unsigned char, unsigned char>;
    return reinterpret_cast<T*>(reinterpret_cast<Byte*>(first_) + i * step_);
  }
  /// Element i; all have the first one's size.
  [[nodiscard]] Result<std::remove_const_t<T>> read(std::size_t i) const {
    const std::string name = detail::concat(name_, "[", i, "]");
    const auto* element = static_cast<const std::remove_const_t<T>*>(at(i));
    Q3G_ASSIGN(const std::size_t size, size_of(element, name.c_str()));
    if (size != step_) {
      return bad_argument(name, ".struct_size is not that of the first element, ", step_);
    }
    return read_struct(element, name.c_str(), std::remove_const_t<T>{});
  }
  void write(std::size_t i, const std::remove_const_t<T>& value) const noexcept {
    write_struct(at(i), step_, value);
  }

 private:
  Elements(T* first, std::size_t n, std::size_t step, const char* name) noexcept
      : first_(first), n_(n), step_(step), name_(name) {}

  T* first_;
  std::size_t n_, step_;
  const char* name_;
};

/// Text of the caller's, borrowed.
[[nodiscard]] inline Result<std::string_view> text_of(const char* text, std::size_t n_bytes,
                                                      const char* name) {
  if (n_bytes == 0) return std::string_view();
  if (text == nullptr) return bad_argument(name, " is NULL, and has ", n_bytes, " bytes");
  if (n_bytes > static_cast<std::size_t>(PTRDIFF_MAX))
    return bad_argument(name, ": ", n_bytes, " bytes are more than memory holds");
  return std::string_view(text, n_bytes);
}

/// Token ids of the caller's, borrowed.
[[nodiscard]] inline Result<std::span<const std::int32_t>> ids_of(const std::int32_t* ids, std::size_t n) {
  if (n == 0) return std::span<const std::int32_t>();
  if (ids == nullptr) return bad_argument("ids is NULL, and has ", n, " elements");
  if (n > static_cast<std::size_t>(PTRDIFF_MAX) / sizeof(std::int32_t))
    return bad_argument("ids: ", n, " elements are more than memory holds");
  return std::span(ids, n);
}

/// Element `index`.
template <class T>
[[nodiscard]] Result<const T*> at(const std::vector<T>& all, std::size_t index) {
  if (index >= all.size()) return bad_argument("index is ", index, "; there are ", all.size());
  return &all[index];
}

/// A value of one of the constants' lists as its enum.
template <class Enum>
[[nodiscard]] Result<Enum> enum_of(std::int32_t value, std::int32_t count, const char* name) {
  if (value < 0 || value >= count) {
    return bad_argument(name, " is ", value, "; expected 0 to ", count - 1);
  }
  return static_cast<Enum>(value);
}

/// 0 or 1.
[[nodiscard]] inline Result<bool> bool_of(std::int32_t value, const char* name) {
  Q3G_ASSIGN(const std::int32_t number, enum_of<std::int32_t>(value, 2, name));
  return number == 1;
}

/// Reserved fields are for later versions.
[[nodiscard]] inline Status need_zero(std::uint32_t reserved, const char* name) {
  if (reserved != 0) return bad_argument(name, ".reserved is ", reserved, "; expected 0");
  return {};
}

/// Copies text into a field, with a NUL; one that does not fit ends in "...".
template <std::size_t N>
void set_chars(char (&field)[N], std::string_view text) noexcept {
  const bool fits = text.size() < N;
  const std::size_t n = fits ? text.size() : N - 4;
  std::memcpy(field, text.data(), n);
  std::memcpy(field + n, fits ? "" : "...", fits ? 1 : 4);
}

/// Output of unknown size into a buffer of the caller. Errors: Q3G_E_BUFFER_TOO_SMALL.
template <class T>
[[nodiscard]] Status write_buffer(const T* from, std::size_t n, T* to, std::size_t capacity,
                                  std::size_t* n_out) {
  if (n_out == nullptr) return bad_argument("the place for the size is NULL");
  if (capacity > 0 && to == nullptr) return bad_argument("the buffer is NULL, and has room for ", capacity);
  *n_out = n;
  if (n > capacity) {
    return failure(Q3G_E_BUFFER_TOO_SMALL, "the buffer has room for ", capacity, ", and ", n, " are needed");
  }
  if (n > 0) std::memcpy(to, from, n * sizeof(T));
  return {};
}

}  // namespace qwen3guard::capi

#endif  // QWEN3GUARD_CAPI_STRUCTS_HPP
