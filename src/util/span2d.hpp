// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_SPAN2D_HPP
#define QWEN3GUARD_SRC_UTIL_SPAN2D_HPP

#include <cstddef>
#include <span>
#include <type_traits>

namespace qwen3guard::detail {

/// Non-owning row-major matrix view: rows x cols, `stride` elements from one row to the next.
template <class T>
class Span2d {
 public:
  constexpr Span2d() = default;
  constexpr Span2d(T* data, std::size_t rows, std::size_t cols) : Span2d(data, rows, cols, cols) {}
  constexpr Span2d(T* data, std::size_t rows, std::size_t cols, std::size_t stride)
      : data_(data), rows_(rows), cols_(cols), stride_(stride) {}
  /// Span2d<T> -> Span2d<const T>.
  template <class U>
  requires(std::is_same_v<const U, T> && !std::is_same_v<U, T>) constexpr Span2d(
      Span2d<U> o)  // NOLINT(google-explicit-constructor): mirrors std::span
      : Span2d(o.data(), o.rows(), o.cols(), o.stride()) {}

  [[nodiscard]] constexpr T* data() const { return data_; }
  [[nodiscard]] constexpr std::size_t rows() const { return rows_; }
  [[nodiscard]] constexpr std::size_t cols() const { return cols_; }
  [[nodiscard]] constexpr std::size_t stride() const { return stride_; }
  [[nodiscard]] constexpr std::span<T> row(std::size_t r) const { return {data_ + r * stride_, cols_}; }
  /// Rows [first, first + n).
  [[nodiscard]] constexpr Span2d sub_rows(std::size_t first, std::size_t n) const {
    return {data_ + first * stride_, n, cols_, stride_};
  }

 private:
  T* data_ = nullptr;
  std::size_t rows_ = 0, cols_ = 0, stride_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_SPAN2D_HPP
