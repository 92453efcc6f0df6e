// SPDX-License-Identifier: Apache-2.0
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <fcntl.h>
#include <io.h>
#include <windows.h>

#include <cerrno>
#include <filesystem>

#include "evaluation/locked_file.hpp"

namespace qwen3guard::evaluation {
namespace {

std::error_code open_error() noexcept {
  switch (const DWORD code = GetLastError()) {
    case ERROR_FILE_EXISTS:
    case ERROR_ALREADY_EXISTS:
      return std::make_error_code(std::errc::file_exists);
    case ERROR_FILE_NOT_FOUND:
    case ERROR_PATH_NOT_FOUND:
      return std::make_error_code(std::errc::no_such_file_or_directory);
    case ERROR_SHARING_VIOLATION:
      return std::make_error_code(std::errc::device_or_resource_busy);
    default:
      return {static_cast<int>(code), std::system_category()};
  }
}

}  // namespace

std::FILE* open_locked(const std::string& path, bool is_new, std::error_code& failed) {
  const std::filesystem::path name(std::u8string(path.begin(), path.end()));
  // Others may read it meanwhile.
  const HANDLE handle = CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr,
                                    is_new ? CREATE_NEW : OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (handle == INVALID_HANDLE_VALUE) {
    failed = open_error();
    return nullptr;
  }
  const int fd =
      ::_open_osfhandle(reinterpret_cast<std::intptr_t>(handle), _O_RDWR | _O_BINARY | _O_NOINHERIT);
  std::FILE* file = fd < 0 ? nullptr : ::_fdopen(fd, "r+b");
  if (file == nullptr) {
    failed = {errno, std::generic_category()};
    if (fd < 0) {
      CloseHandle(handle);
    } else {
      ::_close(fd);
    }
  }
  return file;
}

std::int64_t get_size(std::FILE* file) noexcept { return ::_filelengthi64(::_fileno(file)); }

bool set_size(std::FILE* file, std::uint64_t n_bytes) noexcept {
  return ::_chsize_s(::_fileno(file), static_cast<long long>(n_bytes)) == 0;
}

}  // namespace qwen3guard::evaluation
