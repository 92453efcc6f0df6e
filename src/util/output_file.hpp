// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_OUTPUT_FILE_HPP
#define QWEN3GUARD_SRC_UTIL_OUTPUT_FILE_HPP

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <span>
#include <string>

#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// A file that appears under its name complete or not at all: bytes go to "<path>.partial-<number>" in the
/// same folder, which commit() gives the name and the destructor otherwise removes. What killed processes
/// left of earlier attempts is removed by the next one; files of living writers, in this process or others,
/// are not. Move-only. Not thread-safe.
class OutputFile {
 public:
  /// Errors: io_error: the folder is missing or cannot be written; something that is no regular file has the
  /// name; a file has it and `overwrite` is false.
  [[nodiscard]] static Result<OutputFile> create(const std::string& path, bool overwrite);
  OutputFile(OutputFile&& other) noexcept;
  OutputFile& operator=(OutputFile&& other) noexcept;
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;
  ~OutputFile();

  /// Appends. Errors: io_error with the system's words (disk full ...).
  [[nodiscard]] Status write(std::span<const std::byte> bytes);
  /// Replaces bytes at the file's beginning that were written before; write() goes on at the end afterwards.
  [[nodiscard]] Status rewrite_start(std::span<const std::byte> bytes);
  /// Removes the file that commit() would replace, if any, ahead of it. Errors: io_error.
  [[nodiscard]] Status remove_replaced();
  /// Brings everything to the disk and gives the file its name. Call once, last. Errors: io_error.
  [[nodiscard]] Status commit();
  /// Instead of commit(), for a file that is needed for a moment: ends the writing, and leaves what was
  /// written to be read at partial_path() until this object goes. Errors: io_error.
  [[nodiscard]] Status keep_partial();
  [[nodiscard]] const std::string& partial_path() const noexcept { return partial_; }

 private:
  struct Closer {
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
  };
  OutputFile(std::string path, bool overwrite);
  void discard() noexcept;

  std::string path_, partial_;  ///< partial_ is empty once there is nothing to remove
  std::unique_ptr<std::FILE, Closer> file_;
  bool overwrite_ = false;
};

/// True when both paths name the same existing file or folder.
[[nodiscard]] bool is_same_file(const std::string& a, const std::string& b);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_OUTPUT_FILE_HPP
