// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_UNICODE_CLASSES_HPP
#define QWEN3GUARD_SRC_TOKENIZER_UNICODE_CLASSES_HPP

#include <cstdint>

namespace qwen3guard::detail {

#include "unicode_classes.inc"

/// What a pre-tokeniser pattern tells apart: \p{L}, \p{N}, \s and all else (marks and unassigned ones, too).
enum class CharClass : std::uint8_t { other = 0, letter = 1, number = 2, space = 3 };

/// Two-stage table of all code points, generated from the reference (see
/// src/tokenizer/make_unicode_classes.py). A plain value that points to static storage.
class UnicodeClasses {
 public:
  [[nodiscard]] static CharClass char_class(std::uint32_t code_point) noexcept {
    return static_cast<CharClass>(flags(code_point) & 3u);
  }
  /// False when NFC leaves the code point alone and nothing before it can join it or move past it: a text of
  /// such code points is in NFC, and text may be normalised in parts that start at one.
  [[nodiscard]] static bool nfc_may_change(std::uint32_t code_point) noexcept {
    return (flags(code_point) & 4u) != 0;
  }

 private:
  /// Precondition: code_point < 0x110000.
  [[nodiscard]] static std::uint32_t flags(std::uint32_t code_point) noexcept;
};

inline std::uint32_t UnicodeClasses::flags(std::uint32_t code_point) noexcept {
  const std::uint8_t pair = kUnicodeBlocks[kUnicodeBlockOf[code_point >> 8]][(code_point & 0xFF) >> 1];
  return (pair >> ((code_point & 1) * 4)) & 0xFu;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_UNICODE_CLASSES_HPP
