// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_NFC_HPP
#define QWEN3GUARD_SRC_TOKENIZER_NFC_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "tokenizer/offset_map.hpp"

namespace qwen3guard::detail {

/// True when a quick look shows that `text` (UTF-8) is in NFC. False means that it may not be.
[[nodiscard]] bool is_surely_nfc(std::string_view text) noexcept;

/// True when nothing before the code point can join it or move past it: text may be normalised in parts that
/// start at one.
[[nodiscard]] bool starts_nfc_part(std::uint32_t code_point) noexcept;

/// Memory that one caller reuses from text to text. What is in it means nothing.
struct NfcScratch {
  /// The marks of one combining class in a long run.
  struct MarkClass {
    std::size_t n = 0, n_bytes = 0;
    std::size_t n_joined = 0;             // at the beginning, that the starter took
    std::size_t begin = 0;                // of the others, in the run that is written
    std::array<std::int32_t, 4> first{};  // more than three marks join no starter
  };
  std::vector<std::int32_t> code_points;
  std::vector<MarkClass> classes;
  /// What is kept at most of a part that is being worked on: code points, and marks of one starter. The
  /// result does not depend on them.
  std::size_t max_pending = 256, max_marks = 32;
};

/// UTF-8 text shrinks at most so much in NFC: from 7 bytes to 2, when it is U+1FBE U+0308 U+0301.
inline constexpr std::size_t kMaxNfcShrinkage = 4;

/// Appends NFC(text) to `out`; text is UTF-8. Only the parts that may change are worked on, in time O(n) and
/// with little memory of its own. `map`, when given, notes the parts as [text] -> [what was appended]. False
/// when there are more than max_bytes, of which some are appended. Throws std::bad_alloc.
[[nodiscard]] bool append_nfc(std::string_view text, NfcScratch& scratch, std::string& out,
                              OffsetMap* map = nullptr,
                              std::size_t max_bytes = std::numeric_limits<std::size_t>::max());

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_NFC_HPP
