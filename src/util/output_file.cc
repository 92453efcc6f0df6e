// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/util/output_file.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "qwen3guard/quote.hpp"

#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#include <sys/stat.h>
#else
#include <fcntl.h>
#include <unistd.h>
#endif

namespace qwen3guard::detail {
namespace {

namespace fs = std::filesystem;

fs::path to_path(const std::string& utf8) { return {std::u8string(utf8.begin(), utf8.end())}; }

Error io_error(const std::string& path, const std::string& what, int error_number) {
  return {ErrorCode::io_error,
          printable(path) + ": " + what + ": " + std::generic_category().message(error_number)};
}

Error name_is_taken(const std::string& path) {
  return {ErrorCode::io_error, printable(path) + ": exists; it is replaced only on request"};
}

/// Whether the name may be taken.
Status check_name(const std::string& path, bool overwrite) {
  std::error_code failed;
  const fs::file_status status = fs::status(to_path(path), failed);
  if (!fs::exists(status)) {
    // A missing or forbidden folder shows when the file is made; a name that leads nowhere is taken, too.
    if (!fs::is_symlink(fs::symlink_status(to_path(path), failed))) return {};
    return Error{ErrorCode::io_error,
                 printable(path) + ": there is a symbolic link of this name that leads nowhere"};
  }
  if (!fs::is_regular_file(status))
    return Error{ErrorCode::io_error,
                 printable(path) + ": there is something of this name that is no regular file"};
  if (!overwrite) return name_is_taken(path);
  return {};
}

/// Removes a file, if it can. On Windows one stays where there is no memory to convert its name.
void remove_file(const std::string& path) noexcept {
#ifdef _WIN32
  try {
    std::error_code ignored;
    fs::remove(to_path(path), ignored);
  } catch (...) {
  }
#else
  static_cast<void>(::unlink(path.c_str()));
#endif
}

/// A new file, or null with errno.
std::FILE* open_new(const std::string& path) noexcept {
#ifdef _WIN32
  // Not by fopen's mode "x", which older run-time libraries do not know.
  const int fd = ::_wopen(to_path(path).c_str(), _O_RDWR | _O_CREAT | _O_EXCL | _O_BINARY | _O_NOINHERIT,
                          _S_IREAD | _S_IWRITE);
  if (fd < 0) return nullptr;
  std::FILE* file = ::_fdopen(fd, "w+b");
  if (file == nullptr) {
    ::_close(fd);
    remove_file(path);
  }
  return file;
#else
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) return nullptr;
  std::FILE* file = ::fdopen(fd, "w+b");
  if (file == nullptr) {
    const int why = errno;
    ::close(fd);
    remove_file(path);
    errno = why;
  }
  return file;
#endif
}

int to_disk(std::FILE* file) noexcept {
#ifdef _WIN32
  return _commit(_fileno(file));
#else
  return ::fsync(fileno(file));
#endif
}

/// The new name outlives a loss of power. A file system that cannot do that for a folder is left alone.
void folder_to_disk(const std::string& path) {
#ifdef _WIN32
  (void)path;
#else
  const fs::path folder = to_path(path).parent_path();
  const int fd = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return;
  (void)::fsync(fd);
  ::close(fd);
#endif
}

/// Gives the finished file its name, which must be free unless it is to be replaced.
Status give_name(const std::string& partial, const std::string& path, bool overwrite) {
#ifndef _WIN32
  if (!overwrite) {
    // Unlike rename(), link() takes no name that somebody else took a moment ago. Not every file system has
    // it.
    if (::link(partial.c_str(), path.c_str()) == 0) {
      remove_file(partial);
      return {};
    }
    if (errno == EEXIST) return name_is_taken(path);
  }
#endif
  if (Status named = check_name(path, overwrite); !named.ok()) return named;
  std::error_code failed;
  fs::rename(to_path(partial), to_path(path), failed);
  if (failed) return io_error(path, "cannot rename " + printable(partial) + " to it", failed.value());
  return {};
}

}  // namespace

OutputFile::OutputFile(std::string path, bool overwrite) : path_(std::move(path)), overwrite_(overwrite) {}

OutputFile::OutputFile(OutputFile&& other) noexcept
    : path_(std::move(other.path_)),
      partial_(std::exchange(other.partial_, {})),
      file_(std::move(other.file_)),
      overwrite_(other.overwrite_) {}

OutputFile& OutputFile::operator=(OutputFile&& other) noexcept {
  if (this == &other) return *this;
  discard();
  path_ = std::move(other.path_);
  partial_ = std::exchange(other.partial_, {});
  file_ = std::move(other.file_);
  overwrite_ = other.overwrite_;
  return *this;
}

OutputFile::~OutputFile() { discard(); }

void OutputFile::discard() noexcept {
  file_.reset();
  if (partial_.empty()) return;
  remove_file(partial_);
  partial_.clear();
}

Result<OutputFile> OutputFile::create(const std::string& path, bool overwrite) {
  if (path.empty() || path.find('\0') != std::string::npos)
    return Error{ErrorCode::invalid_argument, "the output's path is empty or has a NUL byte"};
  if (Status named = check_name(path, overwrite); !named.ok()) return std::move(named).error();
  constexpr int kAttempts = 100;  // leftovers of processes that were killed
  // Made first: once the file is there, nothing may throw that would leave it behind.
  OutputFile out(path, overwrite);
  for (int i = 0; i < kAttempts; ++i) {
    std::string partial = path + ".partial-" + std::to_string(i);
    errno = 0;
    out.file_.reset(open_new(partial));
    if (out.file_ != nullptr) {
      out.partial_ = std::move(partial);
      return out;
    }
    if (errno != EEXIST) return io_error(partial, "cannot make the file", errno);
  }
  return Error{ErrorCode::io_error,
               printable(path) + ".partial-0 to -99: all exist; remove what is left over"};
}

Status OutputFile::write(std::span<const std::byte> bytes) {
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size()) return {};
  return io_error(partial_, "cannot write", errno);
}

Status OutputFile::rewrite_start(std::span<const std::byte> bytes) {
  errno = 0;
  if (std::fseek(file_.get(), 0, SEEK_SET) == 0 &&
      std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size() &&
      std::fseek(file_.get(), 0, SEEK_END) == 0)
    return {};
  return io_error(partial_, "cannot write", errno);
}

Status OutputFile::commit() {
  errno = 0;
  if (std::fflush(file_.get()) != 0 || to_disk(file_.get()) != 0)
    return io_error(partial_, "cannot write", errno);
  if (std::fclose(file_.release()) != 0) return io_error(partial_, "cannot write", errno);
  if (Status named = give_name(partial_, path_, overwrite_); !named.ok()) return named;
  partial_.clear();
  folder_to_disk(path_);
  return {};
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code failed;
  return fs::equivalent(to_path(a), to_path(b), failed) && !failed;
}

}  // namespace qwen3guard::detail
