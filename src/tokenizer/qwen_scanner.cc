// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/qwen_scanner.hpp"

#include <array>
#include <cstdint>

#include "tokenizer/unicode_classes.hpp"
#include "util/utf8.hpp"

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

std::size_t line_ends_end(std::string_view text, std::size_t pos) noexcept {
  while (pos < text.size() && is_newline(text[pos])) ++pos;
  return pos;
}

/// White space from some place on.
struct SpaceRun {
  std::size_t last = 0;         // start of the last character
  std::size_t newline_end = 0;  // behind the last line end
  std::size_t end = 0;
};

SpaceRun space_run(std::string_view text, std::size_t pos) noexcept {
  SpaceRun run{pos, pos, pos};
  for (std::size_t next = pos; next < text.size(); run.end = next) {
    if (next_class(text, next) != CharClass::space) break;
    run.last = run.end;
    if (is_newline(text[run.end])) run.newline_end = next;
  }
  return run;
}

/// \s*[\r\n]+ , \s+(?!\S) or \s+ at white space.
std::size_t space_end(std::string_view text, std::size_t pos) noexcept {
  const SpaceRun run = space_run(text, pos);
  if (run.newline_end > pos) return run.newline_end;
  return run.end == text.size() || run.last == pos ? run.end : run.last;
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
    return line_ends_end(text, run_end(text, second, CharClass::other));
  }
  return space_end(text, pos);
}

WordPart qwen_word_part(std::string_view text, std::size_t begin, std::size_t pos, std::size_t end) noexcept {
  std::size_t previous = previous_boundary(text, pos), second = begin;
  switch (next_class(text, previous)) {
    case CharClass::letter:
      return WordPart::letters;
    case CharClass::other:
      return WordPart::others;
    case CharClass::number:
      return WordPart::none;
    case CharClass::space:
      break;
  }
  const bool is_white =
      next_class(text, second) == CharClass::space && next_class(text, second) == CharClass::space;
  if (!is_white) return WordPart::line_ends;
  if (is_newline(text[end - 1])) return WordPart::newlines;
  return begin > 0 && is_newline(text[begin - 1]) ? WordPart::spaces_behind_newline : WordPart::spaces;
}

WordPart qwen_word_part(std::string_view text, WordPart part, std::size_t pos, std::size_t end) noexcept {
  if (part == WordPart::others && is_newline(text[pos - 1])) return WordPart::line_ends;
  if (part == WordPart::spaces && is_newline(text[end - 1])) return WordPart::newlines;
  return part;
}

std::optional<std::size_t> qwen_word_rest_end(std::string_view text, WordPart part) noexcept {
  switch (part) {
    case WordPart::letters:
      return run_end(text, 0, CharClass::letter);
    case WordPart::others:
      return line_ends_end(text, run_end(text, 0, CharClass::other));
    case WordPart::line_ends:
      return line_ends_end(text, 0);
    case WordPart::newlines:
      return space_run(text, 0).newline_end;
    case WordPart::spaces:
    case WordPart::spaces_behind_newline: {
      const SpaceRun run = space_run(text, 0);
      if (run.newline_end > 0 && part == WordPart::spaces_behind_newline) return std::nullopt;
      if (run.newline_end > 0) return run.newline_end;
      return run.end == text.size() ? run.end : run.last;
    }
    case WordPart::none:
      break;
  }
  return std::nullopt;
}

}  // namespace qwen3guard::detail
