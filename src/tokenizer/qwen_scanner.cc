// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/qwen_scanner.hpp"

#include <array>
#include <cstdint>

#include "qwen3guard/detail/util/utf8.hpp"
#include "tokenizer/unicode_classes.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::array<CharClass, 128> kAsciiClasses = [] {
  std::array<CharClass, 128> classes{};
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) classes[c] = CharClass::letter;
    if (c >= '0' && c <= '9') classes[c] = CharClass::number;
    if (c == ' ' || (c >= '\t' && c <= '\r')) classes[c] = CharClass::space;
  }
  return classes;
}();

/// Class of the character at text[pos]; moves pos past it.
inline CharClass next_class(std::string_view text, std::size_t& pos) noexcept {
  const auto byte = static_cast<unsigned char>(text[pos]);
  if (byte < 0x80) return ++pos, kAsciiClasses[byte];
  return UnicodeClasses::char_class(next_code_point(text, pos));
}

/// End of the run of `wanted` that starts at pos.
inline std::size_t run_end(std::string_view text, std::size_t pos, CharClass wanted) noexcept {
  for (std::size_t next = pos; next < text.size(); pos = next) {
    if (next_class(text, next) != wanted) break;
  }
  return pos;
}

inline bool is_newline(char c) noexcept { return c == '\r' || c == '\n'; }

/// (?i:'s|'t|'re|'ve|'m|'ll|'d) at an apostrophe; its end, or pos. U+017F folds to s.
std::size_t contraction_end(std::string_view text, std::size_t pos) noexcept {
  const auto lower_at = [&](std::size_t i) {
    return i < text.size() ? static_cast<char>(text[i] | 0x20) : '\0';
  };
  const char first = lower_at(pos + 1), second = lower_at(pos + 2);
  switch (first) {
    case 's':
    case 't':
    case 'm':
    case 'd':
      return pos + 2;
    case 'r':
    case 'v':
      return second == 'e' ? pos + 3 : pos;
    case 'l':
      return second == 'l' ? pos + 3 : pos;
    default:
      return text.substr(pos + 1, 2) == "\xC5\xBF" ? pos + 3 : pos;
  }
}

/// \s*[\r\n]+ , \s+(?!\S) or \s+ at white space.
std::size_t space_end(std::string_view text, std::size_t pos) noexcept {
  std::size_t last = pos, newline_end = pos;  // last: start of the run's last character
  std::size_t end = pos;
  for (std::size_t next = pos; next < text.size(); end = next) {
    if (next_class(text, next) != CharClass::space) break;
    last = end;
    if (is_newline(text[end])) newline_end = next;
  }
  if (newline_end > pos) return newline_end;
  return end == text.size() || last == pos ? end : last;
}

}  // namespace

std::size_t qwen_word_end(std::string_view text, std::size_t pos) noexcept {
  std::size_t second = pos;
  const CharClass first_class = next_class(text, second);
  if (first_class == CharClass::letter) return run_end(text, second, CharClass::letter);
  if (first_class == CharClass::number) return second;
  const char first = text[pos];
  if (first == '\'') {
    const std::size_t end = contraction_end(text, pos);
    if (end > pos) return end;
  }
  std::size_t third = second;
  const CharClass second_class = second < text.size() ? next_class(text, third) : CharClass::space;
  if (second_class == CharClass::letter && !is_newline(first)) return run_end(text, third, CharClass::letter);
  if (first_class == CharClass::other || (first == ' ' && second_class == CharClass::other)) {
    std::size_t end = run_end(text, second, CharClass::other);
    while (end < text.size() && is_newline(text[end])) ++end;
    return end;
  }
  return space_end(text, pos);
}

}  // namespace qwen3guard::detail
