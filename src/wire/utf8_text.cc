// SPDX-License-Identifier: Apache-2.0
#include "wire/utf8_text.hpp"

#include <simdjson.h>

#include <algorithm>

namespace qwen3guard::wire {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

/// Bytes of a character that begins with this byte.
std::size_t length_of(char first) noexcept {
  const auto lead = static_cast<unsigned char>(first);
  return lead < 0x80 ? 1 : lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
}

/// Bytes of the character at text[pos]; 0 when what stands there is not UTF-8.
std::size_t character_bytes(std::string_view text, std::size_t pos) noexcept {
  const std::size_t n = length_of(text[pos]);
  return n <= text.size() - pos && simdjson::validate_utf8(text.data() + pos, n) ? n : 0;
}

/// Bytes at text[pos], which is no character, that could begin one: what the library replaces as a whole.
std::size_t broken_bytes(std::string_view text, std::size_t pos) {
  const std::size_t n = length_of(text[pos]);
  for (std::size_t n_there = std::min(n - 1, text.size() - pos); n_there > 1; --n_there) {
    for (const char rest : {'\x80', '\xBF'}) {
      std::string whole(text.substr(pos, n_there));
      whole.resize(n, rest);
      if (simdjson::validate_utf8(whole.data(), n)) return n_there;
    }
  }
  return 1;
}

}  // namespace

std::optional<std::size_t> find_ill_formed(std::string_view text) noexcept {
  if (simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
  std::size_t pos = 0;
  while (const std::size_t n = character_bytes(text, pos)) pos += n;
  return pos;
}

std::string with_replacements(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  if (simdjson::validate_utf8(text.data(), text.size())) return out = text;
  for (std::size_t pos = 0; pos < text.size();) {
    const std::size_t n = character_bytes(text, pos);
    if (n == 0) {
      out += kReplacement;
      pos += broken_bytes(text, pos);
    } else {
      out += text.substr(pos, n);
      pos += n;
    }
  }
  return out;
}

std::size_t count_code_points(std::string_view text) noexcept {
  return static_cast<std::size_t>(std::count_if(
      text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

std::uint32_t next_character(std::string_view text, std::size_t& at) noexcept {
  const std::size_t n = length_of(text[at]);
  const auto lead = static_cast<std::uint32_t>(static_cast<unsigned char>(text[at]));
  std::uint32_t c = n == 1 ? lead : lead & (0x7FU >> n);
  for (std::size_t i = 1; i < n; ++i)
    c = c << 6 | (static_cast<std::uint32_t>(static_cast<unsigned char>(text[at + i])) & 0x3FU);
  at += n;
  return c;
}

void append_utf8(std::uint32_t c, std::string& out) {
  const auto put = [&](std::uint32_t byte) { out += static_cast<char>(static_cast<unsigned char>(byte)); };
  if (c < 0x80) return put(c);
  if (c < 0x800) {
    put(0xC0 | (c >> 6));
  } else {
    put(c < 0x10000 ? 0xE0 | (c >> 12) : 0xF0 | (c >> 18));
    if (c >= 0x10000) put(0x80 | ((c >> 12) & 0x3F));
    put(0x80 | ((c >> 6) & 0x3F));
  }
  put(0x80 | (c & 0x3F));
}

}  // namespace qwen3guard::wire
