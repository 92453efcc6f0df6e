// SPDX-License-Identifier: Apache-2.0
#include "evaluation/append_file.hpp"

#include <array>
#include <cerrno>
#include <system_error>
#include <utility>

#include "evaluation/locked_file.hpp"
#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::evaluation {
namespace {

Error file_error(const std::string& path, const char* what) {
  return {ErrorCode::io_error, printable(path) + ": " + what + ": " + std::generic_category().message(errno)};
}

}  // namespace

Result<AppendFile> AppendFile::opened(const std::string& path, bool is_new) {
  std::error_code failed;
  std::FILE* file = open_locked(path, is_new, failed);
  if (file != nullptr) {
    // What could not be written must not wait in a buffer, from which closing would write it.
    std::setvbuf(file, nullptr, _IONBF, 0);
    return AppendFile(path, file);
  }
  if (failed == std::errc::device_or_resource_busy)
    return detail::error(ErrorCode::io_error, printable(path), ": another process is writing it");
  const bool is_missing = !is_new && failed == std::errc::no_such_file_or_directory;
  return detail::error(is_missing ? ErrorCode::file_not_found : ErrorCode::io_error, printable(path), ": ",
                       is_new ? "cannot create: " : "cannot open: ", failed.message());
}

Result<AppendFile> AppendFile::create(const std::string& path) { return opened(path, true); }

Result<AppendFile> AppendFile::open(const std::string& path) {
  Q3G_ASSIGN(AppendFile file, opened(path, false));
  const std::int64_t size = get_size(file.file_.get());
  if (size < 0) return file_error(path, "cannot read its size");
  file.size_bytes_ = static_cast<std::size_t>(size);
  return file;
}

Result<std::string> AppendFile::read() {
  constexpr std::size_t kBlockBytes = 1U << 16U;
  std::string out;
  std::array<char, kBlockBytes> block{};
  std::rewind(file_.get());
  for (std::size_t n = 0; (n = std::fread(block.data(), 1, block.size(), file_.get())) > 0;)
    out.append(block.data(), n);
  if (std::ferror(file_.get()) != 0) return file_error(path_, "cannot read");
  return out;
}

Status AppendFile::truncate(std::size_t n_bytes) {
  if (!set_size(file_.get(), n_bytes)) return file_error(path_, "cannot truncate");
  size_bytes_ = n_bytes;
  return {};
}

Status AppendFile::append(std::string_view text) {
  // C requires a seek between a read and a write.
  if (std::fseek(file_.get(), 0, SEEK_END) == 0 &&
      std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() && std::fflush(file_.get()) == 0) {
    size_bytes_ += text.size();
    return {};
  }
  Error failed = file_error(path_, "cannot write");
  std::clearerr(file_.get());
  static_cast<void>(set_size(file_.get(), size_bytes_));
  return failed;
}

}  // namespace qwen3guard::evaluation
