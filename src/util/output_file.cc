// SPDX-License-Identifier: Apache-2.0
#include "util/output_file.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/partial_file.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPartial = ".partial-";

fs::path path_of(const std::string& utf8) { return {std::u8string(utf8.begin(), utf8.end())}; }

Error io_error(const std::string& path, const std::string& what, std::error_code failed) {
  return {ErrorCode::io_error, printable(path) + ": " + what + ": " + failed.message()};
}

Error cannot_write(const std::string& path, int error_number) {
  return io_error(path, "cannot write", {error_number, std::generic_category()});
}

Error name_is_taken(const std::string& path) {
  return {ErrorCode::io_error, printable(path) + ": exists; it is replaced only on request"};
}

/// Whether the name may be taken.
Status check_name(const std::string& path, bool overwrite) {
  std::error_code failed;
  const fs::file_status status = fs::status(path_of(path), failed);
  if (!fs::exists(status)) {
    // A missing or forbidden folder shows when the file is made; a name that leads nowhere is taken, too.
    if (!fs::is_symlink(fs::symlink_status(path_of(path), failed))) return {};
    return error(ErrorCode::io_error, printable(path),
                 ": there is a symbolic link of this name that leads nowhere");
  }
  if (!fs::is_regular_file(status)) {
    return error(ErrorCode::io_error, printable(path),
                 ": there is something of this name that is no regular file");
  }
  if (!overwrite) return name_is_taken(path);
  return {};
}

bool is_ascii_digit(fs::path::value_type c) noexcept { return c >= '0' && c <= '9'; }

/// Removes the partial files of this output whose writers are gone. One that cannot be removed stays.
void remove_leftovers(const std::string& path) {
  const fs::path target = path_of(path);
  // In the system's own characters: other names in the folder need not have a form in UTF-8.
  fs::path prefix = target.filename();
  prefix += kPartial;
  std::error_code failed;
  fs::directory_iterator entry(target.has_parent_path() ? target.parent_path() : fs::path("."), failed);
  for (; !failed && entry != fs::directory_iterator(); entry.increment(failed)) {
    const fs::path name = entry->path().filename();
    const fs::path::string_type& native = name.native();
    if (native.size() <= prefix.native().size() || !native.starts_with(prefix.native())) continue;
    std::string number;
    for (std::size_t i = prefix.native().size(); i < native.size() && is_ascii_digit(native[i]); ++i)
      number += static_cast<char>(native[i]);
    if (prefix.native().size() + number.size() == native.size())
      remove_abandoned(concat(path, kPartial, number));
  }
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
  if (partial_.empty()) return file_.reset();
  discard_file(file_.release(), partial_);
  partial_.clear();
}

Result<OutputFile> OutputFile::create(const std::string& path, bool overwrite) {
  if (path.empty() || path.find('\0') != std::string::npos)
    return Error{ErrorCode::invalid_argument, "the output's path is empty or has a NUL byte"};
  if (Status named = check_name(path, overwrite); !named.ok()) return std::move(named).error();
  remove_leftovers(path);
  // Names that are taken now belong to other writers, or lie where nothing can be locked.
  constexpr int kAttempts = 10000;
  // Made first: once the file is there, nothing may throw that would leave it behind.
  OutputFile out(path, overwrite);
  for (int i = 0; i < kAttempts; ++i) {
    std::string partial = concat(path, kPartial, i);
    std::error_code failed;
    out.file_.reset(open_new(partial, failed));
    if (out.file_ != nullptr) {
      out.partial_ = std::move(partial);
      return out;
    }
    if (failed != std::errc::file_exists) return io_error(partial, "cannot make the file", failed);
  }
  return error(ErrorCode::io_error, printable(path), ": there are ", kAttempts,
               " partial files beside it that cannot be removed; remove what is left over");
}

Status OutputFile::write(std::span<const std::byte> bytes) {
  errno = 0;
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size()) return {};
  return cannot_write(partial_, errno);
}

Status OutputFile::rewrite_start(std::span<const std::byte> bytes) {
  errno = 0;
  if (std::fseek(file_.get(), 0, SEEK_SET) == 0 &&
      std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size() &&
      std::fseek(file_.get(), 0, SEEK_END) == 0)
    return {};
  return cannot_write(partial_, errno);
}

Status OutputFile::remove_replaced() {
  if (!overwrite_) return {};
  Q3G_TRY(check_name(path_, true));
  std::error_code failed;
  fs::remove(path_of(path_), failed);
  if (failed) return io_error(path_, "cannot remove", failed);
  folder_to_disk(path_);
  return {};
}

Status OutputFile::commit() {
  errno = 0;
  if (std::fflush(file_.get()) != 0 || to_disk(file_.get()) != 0) return cannot_write(partial_, errno);
  if (overwrite_) {
    if (Status named = check_name(path_, true); !named.ok()) return named;
  }
  // While the file is open nobody takes it for left over.
  const std::error_code failed = give_name(file_.get(), partial_, path_, overwrite_);
  if (failed == std::errc::file_exists && !overwrite_) return name_is_taken(path_);
  if (failed) return io_error(path_, "cannot rename " + printable(partial_) + " to it", failed);
  partial_.clear();
  file_.reset();  // all of it is on the disk already
  folder_to_disk(path_);
  return {};
}

Status OutputFile::keep_partial() {
  errno = 0;
  if (std::fflush(file_.get()) != 0) return cannot_write(partial_, errno);
#ifdef _WIN32
  // A file that is open for writing cannot be mapped; one that is mapped cannot be removed.
  file_.reset();
#endif
  return {};
}

bool is_same_file(const std::string& a, const std::string& b) {
  std::error_code failed;
  return fs::equivalent(path_of(a), path_of(b), failed) && !failed;
}

}  // namespace qwen3guard::detail
