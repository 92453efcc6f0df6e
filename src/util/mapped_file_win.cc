// SPDX-License-Identifier: Apache-2.0
#ifndef WIN32_LEAN_AND_MEAN
#define WIN32_LEAN_AND_MEAN
#endif
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <memory>
#include <system_error>

#include "qwen3guard/quote.hpp"
#include "util/mapped_file.hpp"

namespace qwen3guard::detail {
namespace {

std::wstring wide(const std::string& utf8) {
  const int n = MultiByteToWideChar(CP_UTF8, 0, utf8.data(), static_cast<int>(utf8.size()), nullptr, 0);
  std::wstring out(static_cast<std::size_t>(n), L'\0');
  MultiByteToWideChar(CP_UTF8, 0, utf8.data(), static_cast<int>(utf8.size()), out.data(), n);
  return out;
}

Error os_error(const std::string& path, const char* what) {
  const DWORD code = GetLastError();
  const bool missing = code == ERROR_FILE_NOT_FOUND || code == ERROR_PATH_NOT_FOUND;
  return {missing ? ErrorCode::file_not_found : ErrorCode::io_error,
          printable(path) + ": " + what + ": " + std::system_category().message(static_cast<int>(code))};
}

struct HandleCloser {
  void operator()(void* handle) const { CloseHandle(handle); }
};
using Handle = std::unique_ptr<void, HandleCloser>;

}  // namespace

Result<Blob> map_file(const std::string& path) {
  HANDLE raw = CreateFileW(wide(path).c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_DELETE, nullptr,
                           OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr);
  if (raw == INVALID_HANDLE_VALUE) return os_error(path, "cannot open");
  const Handle file(raw);
  LARGE_INTEGER size = {};
  if (GetFileSizeEx(file.get(), &size) == 0) return os_error(path, "cannot read its size");
  if (size.QuadPart == 0) return Blob{};
  const Handle mapping(CreateFileMappingW(file.get(), nullptr, PAGE_READONLY, 0, 0, nullptr));
  if (mapping == nullptr) return os_error(path, "cannot map");
  void* address = MapViewOfFile(mapping.get(), FILE_MAP_READ, 0, 0, 0);
  if (address == nullptr) return os_error(path, "cannot map");
  std::shared_ptr<const void> owner(address, [](const void* p) { UnmapViewOfFile(p); });
  return Blob{{static_cast<const std::byte*>(address), static_cast<std::size_t>(size.QuadPart)},
              std::move(owner)};
}

bool is_directory(const std::string& path) noexcept {
  const DWORD attributes = GetFileAttributesW(wide(path).c_str());
  return attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0;
}

}  // namespace qwen3guard::detail
