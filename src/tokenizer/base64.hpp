// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_BASE64_HPP
#define QWEN3GUARD_SRC_TOKENIZER_BASE64_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Base64 (RFC 4648, section 4), in the one spelling that an encoder gives: padded, without white space, the
/// bits that are left over zero.
namespace qwen3guard::detail {

inline constexpr std::string_view kBase64Alphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

inline void append_base64(std::string_view bytes, std::string& out) {
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t word = 0;
    for (std::size_t k = 0; k < 3; ++k)
      word = (word << 8) | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    const std::size_t n_characters = bytes.size() - i >= 3 ? 4 : bytes.size() - i + 1;
    for (std::size_t k = 0; k < 4; ++k)
      out.push_back(k < n_characters ? kBase64Alphabet[(word >> (18 - 6 * k)) & 63u] : '=');
  }
}

/// Replaces `out` by the bytes. False (`out` is then unspecified) for anything but that spelling.
[[nodiscard]] inline bool base64_to_bytes(std::string_view text, std::string& out) {
  constexpr std::uint8_t kNoDigit = 64;
  static constexpr std::array<std::uint8_t, 256> kValues = [] {
    std::array<std::uint8_t, 256> values{};
    for (auto& value : values) value = kNoDigit;
    for (std::size_t i = 0; i < kBase64Alphabet.size(); ++i)
      values[static_cast<unsigned char>(kBase64Alphabet[i])] = static_cast<std::uint8_t>(i);
    return values;
  }();
  out.clear();
  if (text.size() % 4 != 0) return false;
  std::size_t n_padding = 0;
  while (n_padding < 2 && n_padding < text.size() && text[text.size() - 1 - n_padding] == '=') ++n_padding;
  const std::string_view digits = text.substr(0, text.size() - n_padding);
  std::uint32_t word = 0;
  unsigned n_bits = 0;
  for (const char c : digits) {
    const std::uint8_t value = kValues[static_cast<unsigned char>(c)];
    if (value == kNoDigit) return false;
    word = (word << 6) | value;
    n_bits += 6;
    if (n_bits < 8) continue;
    n_bits -= 8;
    out.push_back(static_cast<char>(static_cast<unsigned char>(word >> n_bits)));
    word &= (1u << n_bits) - 1;
  }
  return word == 0;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_BASE64_HPP
