// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/text_table.hpp"

#include <algorithm>
#include <string_view>

#include "wire/utf8_text.hpp"

namespace qwen3guard::cli {
namespace {

/// In characters.
std::size_t width_of(std::string_view utf8) { return wire::count_code_points(utf8); }

std::vector<std::size_t> column_widths(const std::vector<Column>& columns) {
  std::vector<std::size_t> out;
  for (const Column& column : columns) {
    std::size_t width = width_of(column.title);
    for (const std::string& cell : column.cells) width = std::max(width, width_of(cell));
    out.push_back(width);
  }
  return out;
}

/// The names of groups, each in the middle above its columns; "" when there are none.
std::string group_line(const std::vector<Column>& columns, const std::vector<std::size_t>& widths) {
  std::string out;
  std::size_t end = 0;  // of the columns so far
  for (std::size_t i = 0; i < columns.size();) {
    const std::string& group = columns[i].group;
    const std::size_t begin = end + (i == 0 ? 0 : columns[i].n_spaces);
    end = begin + widths[i];
    for (++i; !group.empty() && i < columns.size() && columns[i].group == group; ++i)
      end += columns[i].n_spaces + widths[i];
    if (group.empty()) continue;
    out.resize(begin + (end - begin - std::min(end - begin, group.size())) / 2, ' ');
    out += group;
  }
  return out.empty() ? out : out + '\n';
}

}  // namespace

std::string table_text(const std::vector<Column>& columns) {
  const std::vector<std::size_t> widths = column_widths(columns);
  std::string out = group_line(columns, widths);
  const auto add_line = [&](const auto& cell_of) {
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string& cell = cell_of(columns[i]);
      const std::string pad(widths[i] - width_of(cell), ' ');
      if (i > 0) out.append(columns[i].n_spaces, ' ');
      const bool is_left = i == 0 || columns[i].is_left;
      out += is_left ? cell : pad;
      out += is_left ? pad : cell;
    }
    while (out.ends_with(' ')) out.pop_back();
    out += '\n';
  };
  add_line([](const Column& column) -> const std::string& { return column.title; });
  for (std::size_t row = 0; row < columns.front().cells.size(); ++row)
    add_line([row](const Column& column) -> const std::string& { return column.cells[row]; });
  return out;
}

}  // namespace qwen3guard::cli
