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
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>

#include "util/exceptions.hpp"
#include "util/partial_file.hpp"

namespace qwen3guard::detail {
namespace {

std::filesystem::path to_path(const std::string& utf8) { return {std::u8string(utf8.begin(), utf8.end())}; }

std::error_code last_error() noexcept {
  const DWORD code = GetLastError();
  if (code == ERROR_FILE_EXISTS || code == ERROR_ALREADY_EXISTS)
    return std::make_error_code(std::errc::file_exists);
  return {static_cast<int>(code), std::system_category()};
}

}  // namespace

std::FILE* open_new(const std::string& path, std::error_code& failed) noexcept {
  HANDLE handle = INVALID_HANDLE_VALUE;
  const bool is_path = if_nothing_throws([&] {
    // The right to delete is what renaming an open file needs; that it is not shared keeps others from it.
    handle = CreateFileW(to_path(path).c_str(), GENERIC_READ | GENERIC_WRITE | DELETE, FILE_SHARE_READ,
                         nullptr, CREATE_NEW, FILE_ATTRIBUTE_NORMAL, nullptr);
  });
  if (!is_path) {
    failed = std::make_error_code(std::errc::not_enough_memory);
    return nullptr;
  }
  if (handle == INVALID_HANDLE_VALUE) {
    failed = last_error();
    return nullptr;
  }
  const int fd =
      ::_open_osfhandle(reinterpret_cast<std::intptr_t>(handle), _O_RDWR | _O_BINARY | _O_NOINHERIT);
  std::FILE* file = fd < 0 ? nullptr : ::_fdopen(fd, "w+b");
  if (file == nullptr) {
    failed = {errno, std::generic_category()};
    if (fd < 0) {
      CloseHandle(handle);
    } else {
      ::_close(fd);
    }
    remove_file(path);
  }
  return file;
}

void remove_abandoned(const std::string& path) noexcept { remove_file(path); }

void remove_file(const std::string& path) noexcept {
  static_cast<void>(if_nothing_throws([&] { static_cast<void>(DeleteFileW(to_path(path).c_str())); }));
}

void discard_file(std::FILE* file, const std::string& path) noexcept {
  if (file == nullptr) return remove_file(path);
  // Goes when it is closed.
  FILE_DISPOSITION_INFO info{};
  info.DeleteFile = TRUE;
  const auto handle = reinterpret_cast<HANDLE>(::_get_osfhandle(::_fileno(file)));
  const bool goes = SetFileInformationByHandle(handle, FileDispositionInfo, &info, sizeof info) != 0;
  static_cast<void>(std::fclose(file));
  if (!goes) remove_file(path);
}

int to_disk(std::FILE* file) noexcept { return ::_commit(::_fileno(file)); }

std::error_code give_name(std::FILE* file, const std::string&, const std::string& path, bool overwrite) {
  std::error_code failed;
  const std::wstring name = std::filesystem::absolute(to_path(path), failed).wstring();
  if (failed) return failed;
  const std::size_t n_bytes = sizeof(FILE_RENAME_INFO) + name.size() * sizeof(wchar_t);
  const std::unique_ptr<std::byte[]> block(new std::byte[n_bytes]());  // operator new aligns it
  auto* info = reinterpret_cast<FILE_RENAME_INFO*>(block.get());
  info->ReplaceIfExists = overwrite ? TRUE : FALSE;
  info->FileNameLength = static_cast<DWORD>(name.size() * sizeof(wchar_t));
  std::memcpy(info->FileName, name.data(), name.size() * sizeof(wchar_t));
  const auto handle = reinterpret_cast<HANDLE>(::_get_osfhandle(::_fileno(file)));
  if (SetFileInformationByHandle(handle, FileRenameInfo, info, static_cast<DWORD>(n_bytes)) != 0) return {};
  return last_error();
}

void folder_to_disk(const std::string&) {}

}  // namespace qwen3guard::detail
