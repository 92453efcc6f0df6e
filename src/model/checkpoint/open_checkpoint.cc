// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/open_checkpoint.hpp"

#include <utility>

#include "model/checkpoint/explain_path.hpp"
#include "model/checkpoint/safetensors_checkpoint.hpp"
#include "qwen3guard/quote.hpp"
#include "util/mapped_file.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// A checkpoint in one file. Here a further format is told by its first bytes.
Result<std::unique_ptr<const Checkpoint>> open_file(Blob file, std::string display_name, std::string path) {
  return SafetensorsCheckpoint::open_packed(std::move(file), std::move(display_name), std::move(path));
}

}  // namespace

Result<std::unique_ptr<const Checkpoint>> open_checkpoint(const std::string& path) {
  Q3G_TRY(check_model_path(path));
  if (is_directory(path)) {
    Q3G_TRY(explain_folder(path));
    return SafetensorsCheckpoint::open_folder(std::make_unique<DirectoryFiles>(path));
  }
  auto file = map_file(path);
  if (!file.ok() && file.error().code == ErrorCode::file_not_found) return no_such_model(path);
  Q3G_ASSIGN(Blob blob, std::move(file));
  return open_file(std::move(blob), printable(path), path);
}

Result<std::unique_ptr<const Checkpoint>> open_checkpoint(MemoryFiles files) {
  if (files.entries().size() != 1)
    return SafetensorsCheckpoint::open_folder(std::make_unique<MemoryFiles>(std::move(files)));
  const std::string& name = files.entries().front().name;
  Q3G_ASSIGN(Blob blob, files.open(name));
  return open_file(std::move(blob), files.display_name(name), {});
}

Result<std::unique_ptr<const Checkpoint>> open_packed_among(MemoryFiles files, std::string_view packed) {
  return SafetensorsCheckpoint::open_packed_among(std::make_unique<MemoryFiles>(std::move(files)), packed);
}

}  // namespace qwen3guard::detail
