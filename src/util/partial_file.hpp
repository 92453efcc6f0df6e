// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_PARTIAL_FILE_HPP
#define QWEN3GUARD_SRC_UTIL_PARTIAL_FILE_HPP

#include <cstdio>
#include <string>
#include <system_error>

/// The operating system's part of OutputFile. Paths are UTF-8. A file that is being written is told from what
/// a killed process left by a lock that goes with the process: of the open file on POSIX systems; on Windows
/// an open file cannot be removed. Where a file system has no locks nothing is ever taken for left over.
namespace qwen3guard::detail {

/// A new file, open for reading and writing, which remove_abandoned() leaves alone until it is closed. Null
/// with `failed`; std::errc::file_exists when the name is taken.
[[nodiscard]] std::FILE* open_new(const std::string& path, std::error_code& failed) noexcept;

/// Removes the regular file at `path` unless a writer, in any process, has it open.
void remove_abandoned(const std::string& path) noexcept;

/// Removes a file, if it can. On Windows one stays where there is no memory to convert its name.
void remove_file(const std::string& path) noexcept;

/// Closes and removes the file at `path`, in such a way that another writer's, which takes the name as soon
/// as it is free, is not meant. file: null when it is closed already.
void discard_file(std::FILE* file, const std::string& path) noexcept;

/// Brings what was written to the disk. 0, or -1 with errno.
[[nodiscard]] int to_disk(std::FILE* file) noexcept;

/// Renames the open file at `partial` to `path`; std::errc::file_exists when that is taken and `overwrite` is
/// false. Throws std::bad_alloc.
[[nodiscard]] std::error_code give_name(std::FILE* file, const std::string& partial, const std::string& path,
                                        bool overwrite);

/// The new name outlives a loss of power, where the file system can do that.
void folder_to_disk(const std::string& path);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_PARTIAL_FILE_HPP
