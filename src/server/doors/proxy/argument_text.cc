// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/argument_text.hpp"

#include <charconv>
#include <cstdint>
#include <utility>

#include "wire/utf8_text.hpp"

namespace qwen3guard::server {
namespace {

constexpr std::size_t kEscapeBytes = 6;  // \uXXXX

bool is_hex(char c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

std::uint32_t unit_at(std::string_view escape, std::size_t begin) noexcept {
  std::uint32_t unit = 0;
  std::from_chars(escape.data() + begin + 2, escape.data() + begin + kEscapeBytes, unit, 16);
  return unit;
}

bool is_high(std::uint32_t unit) noexcept { return unit >= 0xD800 && unit < 0xDC00; }
bool is_low(std::uint32_t unit) noexcept { return unit >= 0xDC00 && unit < 0xE000; }

/// True when `c` is what an escape goes on with.
bool goes_on(std::string_view escape, char c) noexcept {
  const std::size_t place = escape.size() % kEscapeBytes;
  if (place == 0) return c == '\\';
  return place == 1 ? c == 'u' : is_hex(c);
}

}  // namespace

std::string ArgumentText::take(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (!escape_.empty() && !goes_on(escape_, c)) {
      // `\n`, `\\` and the like are whole with this character; of a pair's first half this is no second one.
      const bool is_short = escape_.size() % kEscapeBytes == 1;
      out += std::exchange(escape_, "");
      if (is_short || c != '\\') {
        out += c;
        continue;
      }
    }
    if (escape_.empty() && c != '\\') {
      out += c;
      continue;
    }
    escape_ += c;
    if (escape_.size() % kEscapeBytes == 0) resolve(out);
  }
  return out;
}

/// escape_ is one unit, or two of which the first is a pair's first half.
void ArgumentText::resolve(std::string& out) {
  const std::uint32_t first = unit_at(escape_, 0);
  if (escape_.size() == kEscapeBytes) {
    if (is_high(first)) return;  // the other half may follow
    const bool stays = first < 0x20 || first == '"' || first == '\\' || is_low(first);
    if (stays) {
      out += escape_;
    } else {
      wire::append_utf8(first, out);
    }
    escape_.clear();
    return;
  }
  const std::uint32_t second = unit_at(escape_, kEscapeBytes);
  if (is_low(second)) {
    wire::append_utf8(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00), out);
    escape_.clear();
    return;
  }
  // The first half stands alone, and the second escape may begin a pair.
  out += escape_.substr(0, kEscapeBytes);
  escape_.erase(0, kEscapeBytes);
  resolve(out);
}

std::string ArgumentText::end() { return std::exchange(escape_, ""); }

}  // namespace qwen3guard::server
