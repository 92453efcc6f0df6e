// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/packed_file.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "model/checkpoint/explain_path.hpp"
#include "qwen3guard/quote.hpp"
#include "util/checksum.hpp"
#include "util/error.hpp"
#include "util/mapped_file.hpp"
#include "util/not_cancelled.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

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

Result<std::shared_ptr<const SafetensorsFile>> open_packed_file(Blob blob, std::string display_name,
                                                                std::string path) {
  Q3G_ASSIGN(SafetensorsFile file,
             SafetensorsFile::open(std::move(blob), std::move(display_name), std::move(path)));
  if (!file.packed_info()) {
    return bad_packed(file, "a safetensors file, but no packed model (\"__metadata__\" has no ",
                      quote(kPackedVersionKey), "); to load a checkpoint, give its folder");
  }
  return std::make_shared<const SafetensorsFile>(std::move(file));
}

Status verify_packed_file(const std::string& path, const CancelFlag* cancel) {
  Q3G_TRY(check_model_path(path));
  Q3G_ASSIGN(Blob blob, map_file(path));
  Q3G_ASSIGN(const auto file, open_packed_file(std::move(blob), printable(path), path));
  return verify_tensors(*file, cancel);
}

bool PackedFiles::contains(std::string_view name) const {
  return file_->find(std::string(kPackedFilePrefix) + std::string(name)) != nullptr;
}

Result<Blob> PackedFiles::open(std::string_view name) const {
  const std::string tensor = std::string(kPackedFilePrefix) + std::string(name);
  const StoredTensor* stored = file_->find(tensor);
  if (stored == nullptr) {
    return error(ErrorCode::file_not_found, file_->display_name(), ": holds no file ", quote(name));
  }
  Q3G_TRY(verify_tensor(*file_, tensor));
  return Blob{stored->bytes, file_->owner()};
}

std::vector<std::string> PackedFiles::names_ending_in(std::string_view ending) const {
  std::vector<std::string> out;
  for (const auto& [tensor, stored] : file_->tensors()) {
    if (!tensor.starts_with(kPackedFilePrefix)) continue;
    const std::string_view name = std::string_view(tensor).substr(kPackedFilePrefix.size());
    if (name.ends_with(ending)) out.emplace_back(name);
  }
  std::sort(out.begin(), out.end());
  return out;
}

std::string PackedFiles::display_name(std::string_view name) const {
  return file_->display_name() + "/" + printable(name);
}

}  // namespace qwen3guard::detail
