// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_UTF8_HPP
#define QWEN3GUARD_SRC_UTIL_UTF8_HPP

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

/// UTF-8 as in the Unicode standard, table 3-7: no surrogates, no overlong forms, nothing past U+10FFFF.
/// All functions are pure.
namespace qwen3guard::detail {

/// U+FFFD REPLACEMENT CHARACTER.
inline constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// `text` without the U+FEFF that some editors put in front of a file.
[[nodiscard]] constexpr std::string_view without_byte_order_mark(std::string_view text) noexcept {
  constexpr std::string_view kMark = "\xEF\xBB\xBF";
  return text.starts_with(kMark) ? text.substr(kMark.size()) : text;
}

/// What stands at one position of a byte string.
struct Utf8Step {
  std::uint32_t code_point = 0;  ///< valid when `complete`
  std::uint32_t n_bytes = 0;     ///< of the character, or of the maximal subpart (table 3-8) when ill-formed
  bool complete = false;         ///< a well-formed character
  bool truncated = false;        ///< not complete, but more bytes at the end of the text could make it so
};

/// Looks at the character that starts at text[pos]. Precondition: pos < text.size().
[[nodiscard]] constexpr Utf8Step utf8_step(std::string_view text, std::size_t pos) noexcept {
  const auto byte_at = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i]));
  };
  const std::uint32_t lead = byte_at(pos);
  if (lead < 0x80) return {lead, 1, true, false};
  if (lead < 0xC2 || lead > 0xF4) return {0, 1, false, false};
  const std::uint32_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
  // Only the second byte has a range of its own, which rules out overlong forms, surrogates and > U+10FFFF.
  std::uint32_t low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  std::uint32_t high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  std::uint32_t code_point = lead & (0x7Fu >> length);
  for (std::uint32_t i = 1; i < length; ++i) {
    if (pos + i >= text.size()) return {0, i, false, true};
    const std::uint32_t byte = byte_at(pos + i);
    if (byte < low || byte > high) return {0, i, false, false};
    code_point = (code_point << 6) | (byte & 0x3F);
    low = 0x80;
    high = 0xBF;
  }
  return {code_point, length, true, false};
}

/// Code point at text[pos], where `text` is known to be UTF-8 and pos a character's start; moves pos past it.
[[nodiscard]] inline std::uint32_t next_code_point(std::string_view text, std::size_t& pos) noexcept {
  const auto* s = reinterpret_cast<const unsigned char*>(text.data()) + pos;
  const std::uint32_t lead = s[0];
  if (lead < 0x80) return pos += 1, lead;
  if (lead < 0xE0) return pos += 2, ((lead & 0x1Fu) << 6) | (s[1] & 0x3Fu);
  if (lead < 0xF0) return pos += 3, ((lead & 0xFu) << 12) | ((s[1] & 0x3Fu) << 6) | (s[2] & 0x3Fu);
  return pos += 4, ((lead & 0x7u) << 18) | ((s[1] & 0x3Fu) << 12) | ((s[2] & 0x3Fu) << 6) | (s[3] & 0x3Fu);
}

/// Start of the character before text[pos]. Precondition: UTF-8, 0 < pos <= text.size(), a boundary.
[[nodiscard]] inline std::size_t previous_boundary(std::string_view text, std::size_t pos) noexcept {
  do --pos;
  while (pos > 0 && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80);
  return pos;
}

/// Bytes of `code_point` (a Unicode scalar value).
[[nodiscard]] constexpr std::size_t utf8_size(std::uint32_t code_point) noexcept {
  return code_point < 0x80 ? 1 : code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
}

/// Writes `code_point` (a Unicode scalar value) to out[0, utf8_size()), and returns that size.
inline std::size_t put_utf8(std::uint32_t code_point, char* out) noexcept {
  constexpr std::uint32_t kLeads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  const std::size_t n = utf8_size(code_point);
  for (std::size_t i = n - 1; i > 0; --i, code_point >>= 6)
    out[i] = static_cast<char>(static_cast<unsigned char>(0x80 | (code_point & 0x3F)));
  out[0] = static_cast<char>(static_cast<unsigned char>(kLeads[n] | code_point));
  return n;
}

/// Appends `code_point` (a Unicode scalar value).
inline void append_utf8(std::uint32_t code_point, std::string& out) {
  char bytes[4];
  out.append(bytes, put_utf8(code_point, bytes));
}

/// First byte at or after `pos` that is not ASCII; text.size() when there is none.
[[nodiscard]] inline std::size_t find_non_ascii(std::string_view text, std::size_t pos = 0) noexcept {
  while (text.size() - pos >= 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, text.data() + pos, 8);
    if ((eight & 0x8080808080808080u) != 0) break;
    pos += 8;
  }
  while (pos < text.size() && static_cast<unsigned char>(text[pos]) < 0x80) ++pos;
  return pos;
}

/// Byte offset of the first ill-formed sequence; nothing when `text` is UTF-8.
[[nodiscard]] inline std::optional<std::size_t> find_invalid_utf8(std::string_view text) noexcept {
  for (std::size_t pos = find_non_ascii(text); pos < text.size();) {
    const Utf8Step step = utf8_step(text, pos);
    if (!step.complete) return pos;
    pos += step.n_bytes;
    if (pos < text.size() && static_cast<unsigned char>(text[pos]) < 0x80) pos = find_non_ascii(text, pos);
  }
  return std::nullopt;
}

/// Bytes at the end of `text` that are the beginning of a character: more bytes could complete it. At most 3.
[[nodiscard]] constexpr std::size_t incomplete_bytes(std::string_view text) noexcept {
  for (std::size_t n = 1; n <= (text.size() < 3 ? text.size() : 3); ++n) {
    if (utf8_step(text, text.size() - n).truncated) return n;
  }
  return 0;
}

/// `text` without these.
[[nodiscard]] constexpr std::string_view whole_characters(std::string_view text) noexcept {
  return text.substr(0, text.size() - incomplete_bytes(text));
}

/// Appends `text` with each maximal subpart of an ill-formed sequence replaced by one U+FFFD, as table 3-8 of
/// the standard and the WHATWG encoding standard do. Throws std::bad_alloc.
inline void append_replacing_invalid_utf8(std::string_view text, std::string& out) {
  std::size_t copied = 0;
  for (std::size_t pos = find_non_ascii(text); pos < text.size();) {
    const Utf8Step step = utf8_step(text, pos);
    if (!step.complete) {
      out.append(text, copied, pos - copied);
      out.append(kReplacement);
      copied = pos + step.n_bytes;
    }
    pos += step.n_bytes;
    if (pos < text.size() && static_cast<unsigned char>(text[pos]) < 0x80) pos = find_non_ascii(text, pos);
  }
  out.append(text, copied);
}

/// `text` as UTF-8; a copy of it when it is UTF-8 already. Throws std::bad_alloc.
[[nodiscard]] inline std::string replace_invalid_utf8(std::string_view text) {
  // A byte can become three: counted first, so that a long text is not held twice while the string grows.
  std::size_t n_bytes = 0;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t end = find_non_ascii(text, pos);
    n_bytes += end - pos;
    if ((pos = end) == text.size()) break;
    const Utf8Step step = utf8_step(text, pos);
    n_bytes += step.complete ? step.n_bytes : kReplacement.size();
    pos += step.n_bytes;
  }
  std::string out;
  out.reserve(n_bytes);
  append_replacing_invalid_utf8(text, out);
  return out;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_UTF8_HPP
