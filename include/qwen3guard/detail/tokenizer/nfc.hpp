// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_TOKENIZER_NFC_HPP
#define QWEN3GUARD_DETAIL_TOKENIZER_NFC_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/detail/tokenizer/offset_map.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// True when a quick look shows that `text` (UTF-8) is in NFC. False means that it may not be.
[[nodiscard]] bool is_surely_nfc(std::string_view text) noexcept;

/// Memory that one caller reuses from text to text. What is in it means nothing.
struct NfcScratch {
  std::vector<std::int32_t> code_points;
  std::vector<std::uint64_t> marks;
};

/// Appends NFC(text) to `out`; text is UTF-8. Only the parts that may change are worked on; time O(n log n)
/// for any input. `map`, when given, notes the parts as [text] -> [what was appended]. Errors: out_of_memory;
/// internal. Throws std::bad_alloc.
[[nodiscard]] Status append_nfc(std::string_view text, NfcScratch& scratch, std::string& out,
                                OffsetMap* map = nullptr);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_TOKENIZER_NFC_HPP
