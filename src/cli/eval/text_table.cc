// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/text_table.hpp"

#include <algorithm>
#include <cstddef>

namespace qwen3guard::cli {

std::string table_text(const std::vector<Column>& columns) {
  std::vector<std::size_t> widths;
  for (const Column& column : columns) {
    std::size_t width = column.title.size();
    for (const std::string& cell : column.cells) width = std::max(width, cell.size());
    widths.push_back(width);
  }
  std::string out;
  const auto add_line = [&](const auto& cell_of) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string cell = cell_of(columns[i]);
      const std::string pad(widths[i] - std::min(widths[i], cell.size()), ' ');
      if (i > 0) out += "  ";
      const bool is_left = i == 0 || columns[i].is_left;
      out += is_left ? cell : pad;
      out += is_left ? pad : cell;
    }
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  };
  add_line([](const Column& column) { return column.title; });
  for (std::size_t row = 0; row < columns.front().cells.size(); ++row)
    add_line([row](const Column& column) { return column.cells[row]; });
  return out;
}

}  // namespace qwen3guard::cli
