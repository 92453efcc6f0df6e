// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_WIRE_UTF8_TEXT_HPP
#define QWEN3GUARD_SRC_WIRE_UTF8_TEXT_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// UTF-8 in the program's input. Pure functions; those that return a string throw std::bad_alloc.
namespace qwen3guard::wire {

/// Offset of the first byte that belongs to no UTF-8 character; nothing when all of them do.
[[nodiscard]] std::optional<std::size_t> find_ill_formed(std::string_view text) noexcept;
/// `text` with U+FFFD for what is not UTF-8, in the same places as InvalidUtf8::replace.
[[nodiscard]] std::string with_replacements(std::string_view text);
/// Unicode scalar values in well-formed UTF-8.
[[nodiscard]] std::size_t count_code_points(std::string_view text) noexcept;
/// The Unicode scalar value at text[at]; moves `at` behind it. Precondition: text is UTF-8 and at <
/// text.size() where a character begins.
[[nodiscard]] std::uint32_t next_character(std::string_view text, std::size_t& at) noexcept;
/// Appends a Unicode scalar value.
void append_utf8(std::uint32_t c, std::string& out);

}  // namespace qwen3guard::wire

#endif  // QWEN3GUARD_SRC_WIRE_UTF8_TEXT_HPP
