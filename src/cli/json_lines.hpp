// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_JSON_LINES_HPP
#define QWEN3GUARD_SRC_CLI_JSON_LINES_HPP

#include <simdjson.h>

#include <cstddef>
#include <cstdio>
#include <string>

namespace qwen3guard::cli {

/// Reads lines of any length, each one JSON value. Blank lines are passed over.
class JsonLines {
 public:
  explicit JsonLines(std::FILE* input) : input_(input) {}

  /// The next value into `out`; false at the end. Throws UsageError with the line number: not JSON, not
  /// UTF-8, a read error.
  [[nodiscard]] bool next(simdjson::dom::element& out);

  /// 1-based number of the line that next() returned last.
  [[nodiscard]] std::size_t line_number() const noexcept { return line_number_; }

  /// "line 7: ..."; for errors about the current line.
  [[nodiscard]] std::string at(const std::string& what) const {
    return "line " + std::to_string(line_number_) + ": " + what;
  }

 private:
  [[nodiscard]] bool read_line();

  std::FILE* input_;
  std::string line_;
  std::size_t line_number_ = 0;
  simdjson::dom::parser parser_;
};

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_JSON_LINES_HPP
