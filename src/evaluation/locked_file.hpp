// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_LOCKED_FILE_HPP
#define QWEN3GUARD_SRC_EVALUATION_LOCKED_FILE_HPP

#include <cstdint>
#include <cstdio>
#include <string>
#include <system_error>

/// The operating system's part of AppendFile. Paths are UTF-8.
namespace qwen3guard::evaluation {

/// Opens a file for reading and writing that nobody else writes until it is closed; is_new: it must not exist
/// yet. Null with `failed`: std::errc::file_exists; std::errc::no_such_file_or_directory;
/// std::errc::device_or_resource_busy when another writer has it. Throws std::bad_alloc.
[[nodiscard]] std::FILE* open_locked(const std::string& path, bool is_new, std::error_code& failed);

/// Bytes in the open file; -1 with errno. (ftell() stops at 2 GiB on Windows.)
[[nodiscard]] std::int64_t get_size(std::FILE* file) noexcept;

/// Cuts the open file; what is buffered must have been written. False with errno.
[[nodiscard]] bool set_size(std::FILE* file, std::uint64_t n_bytes) noexcept;

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_LOCKED_FILE_HPP
