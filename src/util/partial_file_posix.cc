// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>

#include "util/partial_file.hpp"

namespace qwen3guard::detail {
namespace {

std::error_code last_error() noexcept { return {errno, std::generic_category()}; }

/// The lock of the open file: it belongs to neither the process nor the thread, and a second open() of the
/// same file, in the same process too, meets it.
bool lock(int fd) noexcept { return ::flock(fd, LOCK_EX | LOCK_NB) == 0; }

}  // namespace

std::FILE* open_new(const std::string& path, std::error_code& failed) noexcept {
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) {
    failed = last_error();
    return nullptr;
  }
  // Between open() and lock() the file looks like one that was left: whoever removes it then has the lock, or
  // had it and the file has no name any more.
  struct stat info = {};
  const bool is_locked = lock(fd);
  if ((!is_locked && errno == EWOULDBLOCK) || (::fstat(fd, &info) == 0 && info.st_nlink == 0)) {
    ::close(fd);
    failed = std::make_error_code(std::errc::file_exists);
    return nullptr;
  }
  std::FILE* file = ::fdopen(fd, "w+b");
  if (file == nullptr) {
    failed = last_error();
    remove_file(path);
    ::close(fd);
  }
  return file;
}

void remove_abandoned(const std::string& path) noexcept {
  const int fd = ::open(path.c_str(), O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return;
  struct stat opened = {}, named = {};
  if (::fstat(fd, &opened) == 0 && S_ISREG(opened.st_mode) && lock(fd) &&
      ::lstat(path.c_str(), &named) == 0 && named.st_dev == opened.st_dev && named.st_ino == opened.st_ino)
    remove_file(path);
  ::close(fd);
}

void remove_file(const std::string& path) noexcept { static_cast<void>(::unlink(path.c_str())); }

void discard_file(std::FILE* file, const std::string& path) noexcept {
  // The name goes while the lock is held.
  remove_file(path);
  if (file != nullptr) static_cast<void>(std::fclose(file));
}

int to_disk(std::FILE* file) noexcept { return ::fsync(::fileno(file)); }

std::error_code give_name(std::FILE*, const std::string& partial, const std::string& path, bool overwrite) {
  if (!overwrite) {
    // Unlike rename(), link() takes no name that somebody else took a moment ago. Not every file system has
    // it.
    if (::link(partial.c_str(), path.c_str()) == 0) {
      remove_file(partial);
      return {};
    }
    struct stat info = {};
    if (errno == EEXIST || ::lstat(path.c_str(), &info) == 0)
      return std::make_error_code(std::errc::file_exists);
  }
  return ::rename(partial.c_str(), path.c_str()) == 0 ? std::error_code() : last_error();
}

void folder_to_disk(const std::string& path) {
  const std::filesystem::path folder = std::filesystem::path(path).parent_path();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  static_cast<void>(::fsync(fd));
  ::close(fd);
}

}  // namespace qwen3guard::detail
