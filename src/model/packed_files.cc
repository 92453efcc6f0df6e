// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/model/packed_files.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/explain_path.hpp"
#include "qwen3guard/detail/tensor/quantize.hpp"
#include "qwen3guard/detail/util/checksum.hpp"
#include "qwen3guard/detail/util/error.hpp"
#include "qwen3guard/detail/util/mapped_file.hpp"
#include "qwen3guard/detail/util/not_cancelled.hpp"
#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/quote.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::string_view kWeightsFile = "model.safetensors";
constexpr std::size_t kChecksumDigits = 16;

/// One file at any path as ModelFiles; the name that is asked for does not matter.
class OneFile final : public ModelFiles {
 public:
  explicit OneFile(std::string path) : path_(std::move(path)) {}
  [[nodiscard]] bool contains(std::string_view) const override { return true; }
  [[nodiscard]] Result<Blob> open(std::string_view) const override { return map_file(path_); }
  [[nodiscard]] std::string display_name(std::string_view) const override { return printable(path_); }
  [[nodiscard]] std::string path(std::string_view) const override { return path_; }

 private:
  std::string path_;
};

template <class... Parts>
Error bad(const SafetensorsFile& file, const Parts&... what) {
  return error(ErrorCode::bad_checkpoint, file.display_name(), ": ", what...);
}

template <class... Parts>
Error unsupported(const SafetensorsFile& file, const Parts&... what) {
  return error(ErrorCode::unsupported_model, file.display_name(), ": ", what...);
}

/// Empty when there is no such key.
std::optional<std::string> metadata(const SafetensorsFile& file, std::string_view key) {
  const auto at = file.metadata().find(std::string(key));
  if (at == file.metadata().end()) return std::nullopt;
  return at->second;
}

std::optional<PackedType> parse_type(std::string_view text) noexcept {
  for (const PackedType type : {PackedType::bf16, PackedType::q8, PackedType::q4}) {
    if (text == to_string(type)) return type;
  }
  return std::nullopt;
}

/// The four groups there are, by their exact text.
std::optional<std::size_t> parse_group(std::string_view text) {
  for (const std::size_t group : {0U, 32U, 64U, 128U}) {
    if (text == concat(group)) return group;
  }
  return std::nullopt;
}

std::string quoted(const std::optional<std::string>& text) {
  return text ? quote(*text) : std::string("missing");
}

}  // namespace

std::string to_text(const PackedInfo& info) {
  const std::string type = to_string(info.type);
  if (info.type == PackedType::bf16) return type + " (packed)";
  return info.group == 0 ? type + " (per row)" : concat(type, " (group ", info.group, ")");
}

std::optional<std::string> packed_header_checksum(std::string_view header) {
  std::string key(1, '"');
  key.append(kPackedHeaderKey).append("\":\"");
  const std::size_t at = header.find(key);
  if (at == std::string_view::npos || header.size() - at - key.size() < kChecksumDigits) return std::nullopt;
  std::string text(header);
  text.replace(at + key.size(), kChecksumDigits, kChecksumDigits, '0');
  return checksum_text(checksum(std::as_bytes(std::span(text))));
}

Result<std::optional<PackedInfo>> read_packed_info(const SafetensorsFile& file) {
  const auto version = metadata(file, kPackedVersionKey);
  if (!version) return std::optional<PackedInfo>();
  if (*version != kPackedVersion) {
    return unsupported(file, "packed model of version ", printable(*version), "; this library reads version ",
                       kPackedVersion);
  }
  const auto stored = metadata(file, kPackedHeaderKey), found = packed_header_checksum(file.header());
  if (!stored || !found || *stored != *found) {
    return bad(file, "the header is damaged: its checksum is ", quoted(found), ", expected ", quoted(stored));
  }
  const auto type_text = metadata(file, kPackedTypeKey), group_text = metadata(file, kPackedGroupKey);
  const auto type = parse_type(type_text.value_or(""));
  if (!type) return unsupported(file, "type is ", quoted(type_text), "; expected bf16, int8 or int4");
  const auto group = parse_group(group_text.value_or(""));
  if (!group) return unsupported(file, "group is ", quoted(group_text), "; expected 0, 32, 64 or 128");
  const auto shape = packed_shape(*type, *group, 1, 1);
  if (!shape.ok()) return unsupported(file, shape.error().detail);
  return std::optional<PackedInfo>({.type = *type, .group = *group});
}

Status verify_tensor(const SafetensorsFile& file, const std::string& tensor) {
  const StoredTensor* stored = file.find(tensor);
  if (stored == nullptr) return bad(file, "tensor ", quote(tensor), " is missing");
  const auto expected = metadata(file, std::string(kPackedChecksumPrefix) + tensor);
  if (!expected) return bad(file, "tensor ", quote(tensor), " has no checksum");
  const std::string found = checksum_text(checksum(stored->bytes));
  if (found == *expected) return {};
  return bad(file, "tensor ", quote(tensor), " is damaged: its checksum is ", found, ", expected ",
             printable(*expected));
}

Status verify_tensors(const SafetensorsFile& file, const CancelFlag* cancel) {
  // Sorted, so that of several damaged tensors always the same is named.
  std::vector<std::string> names;
  for (const auto& [name, stored] : file.tensors()) names.push_back(name);
  std::sort(names.begin(), names.end());
  for (const std::string& name : names) {
    Q3G_TRY(not_cancelled(cancel));
    Q3G_TRY(verify_tensor(file, name));
  }
  return {};
}

PackedFiles::PackedFiles(SafetensorsFile file, PackedInfo info) : file_(std::move(file)), info_(info) {}

Result<PackedFiles> PackedFiles::open_path(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Error{ErrorCode::invalid_argument,
                 "model path: empty or with a NUL byte; expected a folder or a packed file"};
  }
  return open_in(OneFile(path), kWeightsFile);
}

Result<PackedFiles> PackedFiles::open_in(const ModelFiles& files, std::string_view name) {
  Q3G_ASSIGN(SafetensorsFile file, SafetensorsFile::open(files, name));
  Q3G_ASSIGN(const auto info, read_packed_info(file));
  if (!info) {
    return bad(file, "a safetensors file, but no packed model (\"__metadata__\" has no ",
               quote(kPackedVersionKey), "); to load a checkpoint, give its folder");
  }
  return PackedFiles(std::move(file), *info);
}

bool PackedFiles::contains(std::string_view name) const {
  return name == kWeightsFile || file_.find(std::string(kPackedFilePrefix) + std::string(name)) != nullptr;
}

Result<Blob> PackedFiles::open(std::string_view name) const {
  if (name == kWeightsFile) return file_.blob();
  const std::string tensor = std::string(kPackedFilePrefix) + std::string(name);
  const StoredTensor* stored = file_.find(tensor);
  if (stored == nullptr) {
    return error(ErrorCode::file_not_found, file_.display_name(), ": holds no file ", quote(name));
  }
  Q3G_TRY(verify_tensor(file_, tensor));
  return Blob{stored->bytes, file_.owner()};
}

std::string PackedFiles::display_name(std::string_view name) const {
  if (name == kWeightsFile) return file_.display_name();
  return file_.display_name() + "/" + printable(name);
}

std::string PackedFiles::path(std::string_view name) const {
  return name == kWeightsFile ? file_.path() : std::string();
}

Status PackedFiles::verify(const CancelFlag* cancel) const { return verify_tensors(file_, cancel); }

Result<std::unique_ptr<ModelFiles>> open_model_files(const std::string& path) {
  if (is_directory(path)) {
    Q3G_TRY(explain_folder(path));
    return std::unique_ptr<ModelFiles>(std::make_unique<DirectoryFiles>(path));
  }
  auto packed = PackedFiles::open_path(path);
  if (packed.ok()) return std::unique_ptr<ModelFiles>(std::make_unique<PackedFiles>(*std::move(packed)));
  if (packed.error().code != ErrorCode::file_not_found) return std::move(packed).error();
  return no_such_model(path);
}

}  // namespace qwen3guard::detail
