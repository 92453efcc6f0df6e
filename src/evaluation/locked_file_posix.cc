// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "evaluation/locked_file.hpp"

namespace qwen3guard::evaluation {

std::FILE* open_locked(const std::string& path, bool is_new, std::error_code& failed) {
  // O_NONBLOCK: a FIFO of this name must not wait for a reader; it is refused below.
  const int flags = O_RDWR | O_CLOEXEC | O_NONBLOCK | (is_new ? O_CREAT | O_EXCL : 0);
  const int fd = ::open(path.c_str(), flags, 0666);
  if (fd < 0) {
    failed = {errno, std::generic_category()};
    return nullptr;
  }
  struct stat info = {};
  std::FILE* file = nullptr;
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    failed = std::make_error_code(std::errc::device_or_resource_busy);
  } else if (::fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
    failed = std::make_error_code(std::errc::invalid_argument);
  } else if (file = ::fdopen(fd, "r+b"); file == nullptr) {
    failed = {errno, std::generic_category()};
  }
  if (file == nullptr) ::close(fd);
  return file;
}

std::int64_t get_size(std::FILE* file) noexcept {
  struct stat info = {};
  return ::fstat(::fileno(file), &info) == 0 ? static_cast<std::int64_t>(info.st_size) : -1;
}

bool set_size(std::FILE* file, std::uint64_t n_bytes) noexcept {
  return ::ftruncate(::fileno(file), static_cast<off_t>(n_bytes)) == 0;
}

}  // namespace qwen3guard::evaluation
