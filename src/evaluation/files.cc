// SPDX-License-Identifier: Apache-2.0
#include "evaluation/files.hpp"

#include <filesystem>
#include <system_error>

#include "qwen3guard/quote.hpp"
#include "util/checksum.hpp"
#include "util/error.hpp"
#include "util/mapped_file.hpp"
#include "util/output_file.hpp"
#include "util/try.hpp"

namespace qwen3guard::evaluation {
namespace {

std::filesystem::path native_path(const std::string& utf8) {
  return {std::u8string(utf8.begin(), utf8.end())};
}

std::string to_utf8(const std::filesystem::path& path) {
  const std::u8string text = path.generic_u8string();
  return {text.begin(), text.end()};
}

}  // namespace

Result<FileText> read_file(const std::string& path) {
  Q3G_ASSIGN(const detail::Blob blob, detail::map_file(path));
  return FileText{std::string(blob.text()), detail::checksum_text(detail::checksum(blob.bytes))};
}

Status write_file(const std::string& path, std::string_view text, bool overwrite) {
  Q3G_ASSIGN(detail::OutputFile file, detail::OutputFile::create(path, overwrite));
  Q3G_TRY(file.write(std::as_bytes(std::span(text))));
  return file.commit();
}

Status check_output(const std::string& path, bool overwrite) {
  std::error_code failed;
  const std::filesystem::path folder = native_path(path).parent_path();
  if (!folder.empty() && !std::filesystem::is_directory(folder, failed))
    return detail::error(ErrorCode::io_error, printable(path), ": there is no folder ",
                         printable(to_utf8(folder)));
  auto file = detail::OutputFile::create(path, overwrite);  // removed again when it goes
  if (!file.ok()) return std::move(file).error();
  return {};
}

bool exists(const std::string& path) {
  std::error_code failed;
  return std::filesystem::exists(native_path(path), failed);
}

Status make_folder(const std::string& path) {
  std::error_code failed;
  const std::filesystem::path folder = native_path(path);
  std::filesystem::create_directories(folder, failed);
  if (failed || !std::filesystem::is_directory(folder, failed))
    return detail::error(ErrorCode::io_error, printable(path), ": cannot create this folder: ",
                         failed ? failed.message() : "something else has the name");
  return {};
}

std::string join(const std::string& folder, std::string_view name) {
  return to_utf8(native_path(folder) / native_path(std::string(name)));
}

std::string stem(const std::string& path) { return to_utf8(native_path(path).stem()); }

}  // namespace qwen3guard::evaluation
