// SPDX-License-Identifier: Apache-2.0
#include "model/packed_files.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/explain_path.hpp"
#include "qwen3guard/quote.hpp"
#include "util/checksum.hpp"
#include "util/error.hpp"
#include "util/mapped_file.hpp"
#include "util/not_cancelled.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr std::string_view kWeightsFile = "model.safetensors";

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
Error bad_packed(const SafetensorsFile& file, const Parts&... what) {
  return error(ErrorCode::bad_checkpoint, file.display_name(), ": ", what...);
}

}  // namespace

Status verify_tensor(const SafetensorsFile& file, const std::string& tensor) {
  const StoredTensor* stored = file.find(tensor);
  if (stored == nullptr) return bad_packed(file, "tensor ", quote(tensor), " is missing");
  const auto expected = file.metadata().find(std::string(kPackedChecksumPrefix) + tensor);
  if (expected == file.metadata().end())
    return bad_packed(file, "tensor ", quote(tensor), " has no checksum");
  const std::string found = checksum_text(checksum(stored->bytes));
  if (found == expected->second) return {};
  return bad_packed(file, "tensor ", quote(tensor), " is damaged: its checksum is ", found, ", expected ",
                    printable(expected->second));
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

PackedFiles::PackedFiles(std::shared_ptr<const SafetensorsFile> file) noexcept : file_(std::move(file)) {}

Result<PackedFiles> PackedFiles::open_path(const std::string& path) {
  if (path.empty() || path.find('\0') != std::string::npos) {
    return Error{ErrorCode::invalid_argument,
                 "model path: empty or with a NUL byte; expected a folder or a packed file"};
  }
  return open_in(OneFile(path), kWeightsFile);
}

Result<PackedFiles> PackedFiles::open_in(const ModelFiles& files, std::string_view name) {
  Q3G_ASSIGN(SafetensorsFile file, SafetensorsFile::open(files, name));
  if (!file.packed_info()) {
    return bad_packed(file, "a safetensors file, but no packed model (\"__metadata__\" has no ",
                      quote(kPackedVersionKey), "); to load a checkpoint, give its folder");
  }
  return PackedFiles(std::make_shared<const SafetensorsFile>(std::move(file)));
}

bool PackedFiles::contains(std::string_view name) const {
  return name == kWeightsFile || file_->find(std::string(kPackedFilePrefix) + std::string(name)) != nullptr;
}

Result<Blob> PackedFiles::open(std::string_view name) const {
  if (name == kWeightsFile) return file_->blob();
  const std::string tensor = std::string(kPackedFilePrefix) + std::string(name);
  const StoredTensor* stored = file_->find(tensor);
  if (stored == nullptr) {
    return error(ErrorCode::file_not_found, file_->display_name(), ": holds no file ", quote(name));
  }
  Q3G_TRY(verify_tensor(*file_, tensor));
  return Blob{stored->bytes, file_->owner()};
}

std::string PackedFiles::display_name(std::string_view name) const {
  if (name == kWeightsFile) return file_->display_name();
  return file_->display_name() + "/" + printable(name);
}

std::string PackedFiles::path(std::string_view name) const {
  return name == kWeightsFile ? file_->path() : std::string();
}

std::shared_ptr<const SafetensorsFile> PackedFiles::tensors(std::string_view name) const {
  return name == kWeightsFile ? file_ : nullptr;
}

Status PackedFiles::verify(const CancelFlag* cancel) const { return verify_tensors(*file_, cancel); }

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
