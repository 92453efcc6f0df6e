// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_CONCAT_HPP
#define QWEN3GUARD_SRC_UTIL_CONCAT_HPP

#include <array>
#include <charconv>
#include <concepts>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

namespace qwen3guard::detail {

/// Numbers that a text may have as a part: no bool and no character, which would read as a number.
template <class T>
concept TextNumber = (std::integral<T> || std::floating_point<T>)&&!std::same_as<T, bool> &&
                     !std::same_as<T, char> && !std::same_as<T, wchar_t> && !std::same_as<T, char8_t> &&
                     !std::same_as<T, char16_t> && !std::same_as<T, char32_t>;

/// A part of a text: text as it is, or a number as number_text() writes it. Borrows the text.
class TextPart {
 public:
  // Implicit, as the parameters of concat() are.
  TextPart(std::string_view text) noexcept : text_(text) {}  // NOLINT(google-explicit-constructor)
  TextPart(const char* text) noexcept : text_(text) {}       // NOLINT(google-explicit-constructor)
  template <TextNumber Number>
  TextPart(Number value) noexcept {  // NOLINT(google-explicit-constructor)
    const auto end = std::to_chars(digits_.data(), digits_.data() + digits_.size(), value);
    text_ = {digits_.data(), static_cast<std::size_t>(end.ptr - digits_.data())};
  }
  TextPart(const TextPart&) = delete;
  TextPart& operator=(const TextPart&) = delete;

  [[nodiscard]] std::string_view text() const noexcept { return text_; }

 private:
  std::array<char, 32> digits_{};
  std::string_view text_;
};

/// The texts one behind the other, in one allocation. Throws std::bad_alloc.
[[nodiscard]] std::string concat_texts(std::initializer_list<std::string_view> texts);

/// Texts and numbers one behind the other: concat("at byte ", 3). Throws std::bad_alloc.
template <class... Parts>
[[nodiscard]] std::string concat(const Parts&... parts) {
  return concat_texts({TextPart(parts).text()...});
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_CONCAT_HPP
