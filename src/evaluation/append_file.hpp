// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_APPEND_FILE_HPP
#define QWEN3GUARD_SRC_EVALUATION_APPEND_FILE_HPP

#include <cstddef>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"

namespace qwen3guard::evaluation {

/// A file that grows by whole lines, for results that must outlive the process that computes them: what
/// append() has returned from stays when the process is killed. One writer at a time: the file is locked
/// while the object lives. Paths are UTF-8. Move-only. Not thread-safe.
class AppendFile {
 public:
  /// A new, empty file. Errors: io_error (it exists; the folder is missing or cannot be written).
  [[nodiscard]] static Result<AppendFile> create(const std::string& path);
  /// One that is there, to go on with. Errors: file_not_found; io_error (another process is writing it; it
  /// cannot be written).
  [[nodiscard]] static Result<AppendFile> open(const std::string& path);

  /// All that is in it. Errors: io_error.
  [[nodiscard]] Result<std::string> read();
  /// Keeps the first n bytes. Errors: io_error.
  [[nodiscard]] Status truncate(std::size_t n_bytes);
  /// All of `text` or nothing: what could not be written whole is taken back. Errors: io_error with the
  /// system's words (disk full ...).
  [[nodiscard]] Status append(std::string_view text);

 private:
  struct Closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  AppendFile(std::string path, std::FILE* file) : path_(std::move(path)), file_(file) {}
  [[nodiscard]] static Result<AppendFile> opened(const std::string& path, bool is_new);

  std::string path_;
  std::unique_ptr<std::FILE, Closer> file_;
  std::size_t size_bytes_ = 0;
};

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_APPEND_FILE_HPP
