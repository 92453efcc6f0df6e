// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_MAPPED_FILE_HPP
#define QWEN3GUARD_SRC_UTIL_MAPPED_FILE_HPP

#include <string>

#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// Maps the regular file at `path` (UTF-8) read-only; the Blob's owner unmaps it. Pages are shared with other
/// processes. An empty file gives an empty Blob. The file must not shrink while it is mapped (the operating
/// system then raises SIGBUS on access; replace model files by renaming, never by truncating).
/// Errors: file_not_found; io_error (not a regular file; no permission; mapping failed) with the system's
/// words.
[[nodiscard]] Result<Blob> map_file(const std::string& path);

/// True when `path` is an existing folder.
[[nodiscard]] bool is_directory(const std::string& path) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_MAPPED_FILE_HPP
