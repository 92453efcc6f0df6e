// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_NUMBER_TEXT_HPP
#define QWEN3GUARD_SRC_UTIL_NUMBER_TEXT_HPP

#include <array>
#include <charconv>
#include <string>

namespace qwen3guard::detail {

/// A number as text, with a point and without separators whatever locale the host program has set: printf,
/// streams and std::to_string write "0,71" in a German one. Shortest form that reads back as the same number.
template <class Float>
[[nodiscard]] std::string number_text(Float value) {
  std::array<char, 32> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end.ptr};
}

/// The same with that many digits behind the point, up to 10.
template <class Float>
[[nodiscard]] std::string number_text(Float value, int n_decimals) {
  std::array<char, 336> text{};  // the largest double has 309 digits before the point
  const auto end =
      std::to_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed, n_decimals);
  return {text.data(), end.ptr};
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_NUMBER_TEXT_HPP
