// SPDX-License-Identifier: Apache-2.0
#include "json_lines.hpp"

#include "cli.hpp"

namespace qwen3guard::cli {

bool JsonLines::read_line() {
  line_.clear();
  int c = 0;
  while ((c = std::getc(input_)) != EOF && c != '\n') line_ += static_cast<char>(c);
  if (std::ferror(input_) != 0) throw UsageError("cannot read standard input");
  if (c == EOF && line_.empty()) return false;
  ++line_number_;
  return true;
}

bool JsonLines::next(simdjson::dom::element& out) {
  while (read_line()) {
    if (line_.find_first_not_of(" \t\r") == std::string::npos) continue;
    if (const auto failed = parser_.parse(line_).get(out)) {
      throw UsageError(at(std::string("not a JSON value: ") + simdjson::error_message(failed)));
    }
    return true;
  }
  return false;
}

}  // namespace qwen3guard::cli
