// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_TEXT_TABLE_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_TEXT_TABLE_HPP

#include <cstddef>
#include <string>
#include <vector>

namespace qwen3guard::cli {

/// A column of a table for people; all columns have as many cells.
struct Column {
  std::string title;
  std::vector<std::string> cells;
  bool is_left = false;      ///< aligned left, as the first column always is
  std::string group{};       ///< named above it and those beside it with the same; may be empty
  std::size_t n_spaces = 2;  ///< before it, where it is not the first
};

/// The titles, above them those of groups, and a line a row. Ends in a line's end.
[[nodiscard]] std::string table_text(const std::vector<Column>& columns);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_TEXT_TABLE_HPP
