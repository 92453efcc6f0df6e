// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_BYTE_LEVEL_HPP
#define QWEN3GUARD_SRC_TOKENIZER_BYTE_LEVEL_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The byte-level alphabet, in which tokenizer files write tokens: every byte is one visible character.
/// '!'..'~', U+00A1..U+00AC and U+00AE..U+00FF stand for themselves; the other 68 bytes, in order, are
/// U+0100, U+0101 and so on (so a space is U+0120).
namespace qwen3guard::detail {

inline constexpr std::uint32_t kByteLevelEnd = 0x144;  // one past the alphabet's largest code point

[[nodiscard]] constexpr bool byte_stands_for_itself(std::uint32_t byte) noexcept {
  return (byte >= '!' && byte <= '~') || (byte >= 0xA1 && byte <= 0xAC) || (byte >= 0xAE && byte <= 0xFF);
}

/// Code point -> byte; -1 for code points outside the alphabet.
inline constexpr std::array<std::int16_t, kByteLevelEnd> kByteOfCodePoint = [] {
  std::array<std::int16_t, kByteLevelEnd> table{};
  for (auto& entry : table) entry = -1;
  std::uint32_t next = 0x100;
  for (std::uint32_t byte = 0; byte < 256; ++byte)
    table[byte_stands_for_itself(byte) ? byte : next++] = static_cast<std::int16_t>(byte);
  return table;
}();

/// Writes the bytes that `piece` (UTF-8) stands for to `out`, which has room for piece.size() of them. Their
/// number, or nothing (`out` is then unspecified) when a character is outside the alphabet.
[[nodiscard]] inline std::optional<std::size_t> byte_level_to_bytes(std::string_view piece,
                                                                    char* out) noexcept {
  std::size_t n = 0;
  bool inside = true;  // looked at once, at the end: a branch for each character would cost more
  for (std::size_t i = 0; i < piece.size(); ++i, ++n) {
    std::uint32_t code_point = static_cast<unsigned char>(piece[i]);
    if (code_point >= 0x80) {  // the alphabet has one- and two-byte characters only
      if ((code_point & 0xE0) != 0xC0 || ++i == piece.size()) return std::nullopt;
      code_point = ((code_point & 0x1F) << 6) | (static_cast<unsigned char>(piece[i]) & 0x3F);
    }
    const int byte = code_point < kByteLevelEnd ? kByteOfCodePoint[code_point] : -1;
    inside &= byte >= 0;
    out[n] = static_cast<char>(static_cast<unsigned char>(byte));
  }
  if (!inside) return std::nullopt;
  return n;
}

/// The same to a string, which is replaced. False when a character is outside the alphabet.
[[nodiscard]] inline bool byte_level_to_bytes(std::string_view piece, std::string& out) {
  out.resize(piece.size());
  const auto n = byte_level_to_bytes(piece, out.data());
  out.resize(n.value_or(0));
  return n.has_value();
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_BYTE_LEVEL_HPP
