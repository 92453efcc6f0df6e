// SPDX-License-Identifier: Apache-2.0
#include "input_lines.hpp"

#include <algorithm>
#include <cerrno>
#include <climits>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace qwen3guard::cli {
namespace {

constexpr const char* kCannotRead = "cannot read standard input";

}  // namespace

bool InputLines::read_line() {
  line_.clear();
  int c = 0;
  while ((c = std::getc(stdin)) != EOF && c != '\n') line_ += static_cast<char>(c);
  if (std::ferror(stdin) != 0) throw UsageError(kCannotRead);
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

std::size_t read_some(char* buffer, std::size_t capacity) {
  for (;;) {
#ifdef _WIN32
    const int n =
        _read(_fileno(stdin), buffer, static_cast<unsigned>(std::min<std::size_t>(capacity, INT_MAX)));
#else
    const ssize_t n = ::read(STDIN_FILENO, buffer, capacity);
#endif
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) throw UsageError(kCannotRead);
  }
}

void report_failed(std::size_t n_failed, std::size_t n_lines) {
  std::fprintf(stderr, "qwen3guard: %zu of %zu lines failed; the errors are in the output\n", n_failed,
               n_lines);
}

}  // namespace qwen3guard::cli
