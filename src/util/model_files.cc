// SPDX-License-Identifier: Apache-2.0
#include "util/model_files.hpp"

#include <algorithm>
#include <filesystem>
#include <system_error>

#include "qwen3guard/quote.hpp"
#include "util/error.hpp"
#include "util/mapped_file.hpp"

namespace qwen3guard::detail {
namespace {

/// A plain file name: not empty, no separator, no NUL, not "." or "..".
bool is_plain_name(std::string_view name) {
  return !name.empty() && name != "." && name != ".." &&
         name.find_first_of(std::string_view("/\\\0:", 4)) == std::string_view::npos;
}

std::string join(const std::string& directory, std::string_view name) {
  std::string path = directory;
  if (!path.empty() && path.back() != '/') path += '/';
  return path += name;
}

/// Whether the name ends so, which is ASCII. In the system's own characters: a name of another program's
/// making need not have a form in UTF-8.
bool has_ending(const std::filesystem::path& name, std::string_view ending) {
  const auto& native = name.native();
  return native.size() >= ending.size() && std::equal(ending.rbegin(), ending.rend(), native.rbegin());
}

}  // namespace

bool DirectoryFiles::contains(std::string_view name) const {
  if (!is_plain_name(name)) return false;
  const auto blob = map_file(join(directory_, name));
  return blob.ok() || blob.error().code != ErrorCode::file_not_found;
}

Result<Blob> DirectoryFiles::open(std::string_view name) const {
  if (!is_plain_name(name)) {
    return error(ErrorCode::invalid_argument, printable(directory_), ": ", quote(name),
                 " is not a plain file name inside the folder");
  }
  if (!is_directory(directory_)) {
    return error(ErrorCode::file_not_found, printable(directory_),
                 ": no such folder (expected a checkpoint folder)");
  }
  return map_file(join(directory_, name));
}

std::vector<std::string> DirectoryFiles::names_ending_in(std::string_view ending) const {
  std::vector<std::string> out;
  std::error_code failed;
  const std::u8string folder(directory_.begin(), directory_.end());
  std::filesystem::directory_iterator entry(std::filesystem::path(folder), failed);
  for (; !failed && entry != std::filesystem::directory_iterator(); entry.increment(failed)) {
    const std::filesystem::path name = entry->path().filename();
    std::error_code unknown;  // leaves it out, as a link that leads nowhere
    if (!has_ending(name, ending) || !entry->is_regular_file(unknown)) continue;
    const std::u8string raw = name.u8string();
    out.emplace_back(raw.begin(), raw.end());
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string DirectoryFiles::name() const { return printable(directory_); }

std::string DirectoryFiles::display_name(std::string_view name) const { return printable(path(name)); }

std::string DirectoryFiles::path(std::string_view name) const { return join(directory_, name); }

bool MemoryFiles::contains(std::string_view name) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const Entry& e) { return e.name == name; });
}

Result<Blob> MemoryFiles::open(std::string_view name) const {
  for (const Entry& entry : entries_) {
    if (entry.name == name) return Blob{entry.bytes, owner_};
  }
  return error(ErrorCode::file_not_found, display_name(name), ": no such file");
}

std::vector<std::string> MemoryFiles::names_ending_in(std::string_view ending) const {
  std::vector<std::string> out;
  for (const Entry& entry : entries_) {
    if (entry.name.ends_with(ending)) out.push_back(entry.name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string MemoryFiles::name() const { return printable(label_); }

std::string MemoryFiles::display_name(std::string_view name) const { return printable(join(label_, name)); }

}  // namespace qwen3guard::detail
