// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_FILES_HPP
#define QWEN3GUARD_SRC_EVALUATION_FILES_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"

/// Whole files. Paths are UTF-8. Everything throws std::bad_alloc.
namespace qwen3guard::evaluation {

/// What a file holds, and its checksum as 16 hexadecimal digits.
struct FileText {
  std::string text, checksum;
};

/// Reads a regular file. Errors: file_not_found; io_error.
[[nodiscard]] Result<FileText> read_file(const std::string& path);

/// Writes a file that appears complete or not at all. Errors: io_error (it is there and `overwrite` is false;
/// the system's words).
[[nodiscard]] Status write_file(const std::string& path, std::string_view text, bool overwrite);

/// Whether write_file() could begin; nothing stays. To be asked before hours of work. Errors: io_error.
[[nodiscard]] Status check_output(const std::string& path, bool overwrite);

/// True when something has the name.
[[nodiscard]] bool exists(const std::string& path);

/// Makes a folder and those above it; one that is there is fine. Errors: io_error.
[[nodiscard]] Status make_folder(const std::string& path);

/// "folder/name".
[[nodiscard]] std::string join(const std::string& folder, std::string_view name);

/// The name without folders and without its last extension: "a/b.c.jsonl" gives "b.c".
[[nodiscard]] std::string stem(const std::string& path);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_FILES_HPP
