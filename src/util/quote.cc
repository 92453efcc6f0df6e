// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/quote.hpp"

#include <cstdint>

#include "util/utf8.hpp"

namespace qwen3guard {
namespace {

constexpr std::string_view kDots = "...";
constexpr std::string_view kHexDigits = "0123456789abcdef";

/// One character as a message shows it. The longest is \u and four digits.
struct Escaped {
  char text[8] = {};
  std::size_t n_bytes = 0;

  void put(char c) noexcept { text[n_bytes++] = c; }
  void put_hex(std::uint32_t value, int n_digits) noexcept {
    for (int i = n_digits - 1; i >= 0; --i) put(kHexDigits[(value >> (4 * i)) & 0xFU]);
  }
  [[nodiscard]] std::string_view view() const noexcept { return {text, n_bytes}; }
};

/// Characters that end a line, drive a terminal or reorder what stands around them.
bool is_unprintable(std::uint32_t c) noexcept {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2066 && c <= 0x2069) || c == 0xFEFF;
}

/// Escapes the character that starts at text[pos] and moves pos past it. Precondition: pos < text.size().
Escaped escape(std::string_view text, std::size_t& pos, bool in_quotes) noexcept {
  Escaped out;
  const detail::Utf8Step step = detail::utf8_step(text, pos);
  if (!step.complete) {
    out.put('\\');
    out.put('x');
    out.put_hex(static_cast<unsigned char>(text[pos++]), 2);
    return out;
  }
  const std::string_view raw = text.substr(pos, step.n_bytes);
  pos += step.n_bytes;
  const std::uint32_t c = step.code_point;
  if (is_unprintable(c)) {
    out.put('\\');
    if (c == '\n' || c == '\r' || c == '\t') {
      out.put(c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    } else {
      out.put('u');
      out.put_hex(c, 4);
    }
    return out;
  }
  if (in_quotes && (c == '"' || c == '\\')) out.put('\\');
  for (const char byte : raw) out.put(byte);
  return out;
}

/// Appends as many characters from text[pos] on as take at most max_bytes; moves pos past them.
void append_escaped(std::string_view text, std::size_t& pos, std::size_t max_bytes, bool in_quotes,
                    std::string& out) {
  const std::size_t begin = out.size();
  while (pos < text.size()) {
    std::size_t next = pos;
    const Escaped character = escape(text, next, in_quotes);
    if (character.n_bytes > max_bytes - (out.size() - begin)) return;
    out += character.view();
    pos = next;
  }
}

/// The longest end of `text` that takes at most max_bytes.
std::string escaped_end(std::string_view text, std::size_t max_bytes) {
  std::size_t begin = text.size() > max_bytes ? text.size() - max_bytes : 0;
  // Not inside a character.
  for (std::size_t n_before = 1; n_before <= 3 && n_before <= begin; ++n_before) {
    const detail::Utf8Step step = detail::utf8_step(text, begin - n_before);
    if (!step.complete || step.n_bytes <= n_before) continue;
    begin += step.n_bytes - n_before;
    break;
  }
  while (begin < text.size()) {
    std::string out;
    std::size_t pos = begin;
    append_escaped(text, pos, max_bytes, false, out);
    if (pos == text.size()) return out;
    escape(text, begin, false);
  }
  return {};
}

}  // namespace

std::string quote(std::string_view text, std::size_t max_bytes) {
  std::string out = "\"";
  std::size_t pos = 0;
  append_escaped(text, pos, max_bytes, true, out);
  out += '"';
  if (pos < text.size()) out += kDots;
  return out;
}

std::string printable(std::string_view name, std::size_t max_bytes) {
  std::string out;
  std::size_t pos = 0;
  append_escaped(name, pos, max_bytes, false, out);
  if (pos == name.size()) return out;
  const std::size_t n_kept = max_bytes > kDots.size() ? max_bytes - kDots.size() : 0;
  out.clear();
  pos = 0;
  append_escaped(name, pos, n_kept / 3, false, out);
  out += kDots;
  return out += escaped_end(name.substr(pos), n_kept - n_kept / 3);
}

}  // namespace qwen3guard
