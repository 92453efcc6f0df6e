// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_QUOTE_HPP
#define QWEN3GUARD_QUOTE_HPP

/// @file
/// Text from outside as error messages, logs and terminals may show it. Every error of the library uses these
/// for file names, tensor names, values of files and arguments.

#include <cstddef>
#include <string>
#include <string_view>

namespace qwen3guard {

/// Bytes of foreign text that one message repeats at most.
inline constexpr std::size_t kMaxQuotedBytes = 200;

/// `text` in double quotes, on one line and of bounded length: "a\nb"... The result is UTF-8 for any input.
/// Written as escapes are the quote and the backslash, control characters and line separators (`\n`,
/// `\u001b`), characters that change the direction of text (`\u202e`) and bytes that are not UTF-8 (`\xff`).
/// At most `max_bytes` bytes, counted after escaping, stand between the quotes; three dots behind the
/// closing quote say that text is missing. Reads no more of `text` than it shows.
/// Pure; any thread. Throws std::bad_alloc.
[[nodiscard]] std::string quote(std::string_view text, std::size_t max_bytes = kMaxQuotedBytes);

/// `name`, a path or another name that stands without quotes in a message, escaped as by quote() except for
/// quotes and backslashes. One that is longer keeps its beginning and its end around three dots, at most
/// `max_bytes` bytes in all (and at least the dots). Pure; any thread. Throws std::bad_alloc.
[[nodiscard]] std::string printable(std::string_view name, std::size_t max_bytes = kMaxQuotedBytes);

}  // namespace qwen3guard

#endif  // QWEN3GUARD_QUOTE_HPP
