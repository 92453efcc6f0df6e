// SPDX-License-Identifier: Apache-2.0
#include "input_lines.hpp"

#include <cstdio>

#include "errors.hpp"

namespace qwen3guard::cli {
bool InputLines::read_line() {
  line_.clear();
  int c = 0;
  while ((c = std::getc(stdin)) != EOF && c != '\n') line_ += static_cast<char>(c);
  if (std::ferror(stdin) != 0) throw UsageError("cannot read standard input");
  if (c == EOF && line_.empty()) return false;
  if (++number_ == 1) {
    refuse_utf16(line_);
    if (line_.starts_with(kByteOrderMark)) line_.erase(0, kByteOrderMark.size());
  }
  if (line_.ends_with('\r')) line_.pop_back();
  return true;
}

bool InputLines::next(std::string_view& line) {
  while (read_line()) {
    if (line_.find_first_not_of(" \t\r") == std::string::npos) continue;
    line = line_;
    return true;
  }
  return false;
}

void refuse_utf16(std::string_view beginning) {
  if (beginning.starts_with("\xFF\xFE") || beginning.starts_with("\xFE\xFF"))
    throw UsageError("standard input is UTF-16; expected UTF-8");
}

void report_failed(std::size_t n_failed, std::size_t n_lines) {
  std::fprintf(stderr, "qwen3guard: %zu of %zu lines failed; the errors are in the output\n", n_failed,
               n_lines);
}

}  // namespace qwen3guard::cli
