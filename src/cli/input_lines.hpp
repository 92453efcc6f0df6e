// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_INPUT_LINES_HPP
#define QWEN3GUARD_SRC_CLI_INPUT_LINES_HPP

#include <cstddef>
#include <cstdio>
#include <string>
#include <string_view>

namespace qwen3guard::cli {

/// Standard input as lines of any length; a line's end is LF or CR LF. Blank lines are passed over, and so is
/// a byte order mark at the beginning.
class InputLines {
 public:
  /// The next line, valid until the next call; false at the end. Throws UsageError: a read error; UTF-16.
  [[nodiscard]] bool next(std::string_view& line);
  /// 1-based number of the line that next() returned last.
  [[nodiscard]] std::size_t number() const noexcept { return number_; }
  /// "line 7: ..."
  [[nodiscard]] std::string at(const std::string& what) const {
    return "line " + std::to_string(number_) + ": " + what;
  }

 private:
  [[nodiscard]] bool read_line();

  std::string line_;
  std::size_t number_ = 0;
};

/// UTF-8's byte order mark.
inline constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
/// Throws UsageError when the beginning of an input is that of UTF-16.
void refuse_utf16(std::string_view beginning);

/// What is on stderr when lines failed, whose errors are in the output: that they did, and how many.
void report_failed(std::size_t n_failed, std::size_t n_lines);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_INPUT_LINES_HPP
