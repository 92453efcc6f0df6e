// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_JSON_POSITION_HPP
#define QWEN3GUARD_SRC_UTIL_JSON_POSITION_HPP

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

/// Where in JSON text something stands: simdjson's documents don't say it. Looked for only when there is an
/// error to report. All functions are pure; they throw std::bad_alloc.
namespace qwen3guard::detail {

/// The byte where a value begins, or where its key does when it is a member of an object. `path`: from the
/// root on, which member or element of each value it is, counted from 0. Precondition: the text is JSON and
/// has such a value.
[[nodiscard]] std::size_t find_json_value(std::string_view text, std::span<const std::size_t> path);

/// The first byte at which the text stops being JSON as simdjson reads it. Empty when there is none, or the
/// fault is one of the text as a whole.
[[nodiscard]] std::optional<std::size_t> find_json_fault(std::string_view text);

/// Both from 1 on; columns count characters.
struct LineAndColumn {
  std::size_t line = 1, column = 1;
};
/// Of text[at]. Lines end with LF; a CR in front of it belongs to its line.
[[nodiscard]] LineAndColumn line_and_column(std::string_view text, std::size_t at) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_JSON_POSITION_HPP
