// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/mapped_file.hpp"

namespace qwen3guard::detail {
namespace {

Error os_error(int error_number, const std::string& path, const char* what) {
  const bool missing = error_number == ENOENT || error_number == ENOTDIR;
  return {missing ? ErrorCode::file_not_found : ErrorCode::io_error,
          printable(path) + ": " + what + ": " + std::generic_category().message(error_number)};
}

class FileDescriptor {
 public:
  explicit FileDescriptor(int fd) : fd_(fd) {}
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  ~FileDescriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

}  // namespace

Result<Blob> map_file(const std::string& path) {
  // O_NONBLOCK: opening a FIFO must not wait for a writer; it is refused below.
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (fd.get() < 0) return os_error(errno, path, "cannot open");
  struct stat info = {};
  if (::fstat(fd.get(), &info) != 0) return os_error(errno, path, "cannot read its size");
  if (!S_ISREG(info.st_mode)) return error(ErrorCode::io_error, printable(path), ": not a regular file");
  const auto size = static_cast<std::size_t>(info.st_size);
  if (size == 0) return Blob{};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, fd.get(), 0);
  if (address == MAP_FAILED) return os_error(errno, path, "cannot map");
  std::shared_ptr<const void> owner(address, [size](const void* p) { ::munmap(const_cast<void*>(p), size); });
  return Blob{{static_cast<const std::byte*>(address), size}, std::move(owner)};
}

bool is_directory(const std::string& path) noexcept {
  struct stat info = {};
  return ::stat(path.c_str(), &info) == 0 && S_ISDIR(info.st_mode);
}

}  // namespace qwen3guard::detail
