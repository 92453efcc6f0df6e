// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/safetensors_checkpoint.hpp"

#include <iterator>
#include <utility>

#include "model/checkpoint/chat_templates.hpp"
#include "model/checkpoint/config_json.hpp"
#include "model/checkpoint/files_over.hpp"
#include "model/checkpoint/packed_file.hpp"
#include "tensor/quantize.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// What a packed copy keeps, as far as it exists.
constexpr const char* kDescription[] = {
    "config.json", "generation_config.json", "tokenizer.json",      "vocab.json",
    "merges.txt",  "tokenizer_config.json",  "chat_template.jinja", "chat_template.json"};
constexpr const char* kDescriptionEndings[] = {".tiktoken", ".tiktoken.json"};

std::vector<std::string> description_names(const ModelFiles& files) {
  std::vector<std::string> out(std::begin(kDescription), std::end(kDescription));
  for (const char* const ending : kDescriptionEndings) {
    for (std::string& name : files.names_ending_in(ending)) out.push_back(std::move(name));
  }
  return out;
}

TensorPart part_of(const TensorSource::Found& found, std::string name) {
  return {std::move(name), found.file->display_name(), found.tensor->dtype, found.tensor->shape,
          found.tensor->bytes};
}

/// All types but bf16 have scales, whatever the size of the matrix.
bool has_scales(const PackedInfo& info) {
  const auto shape = packed_shape(info.type, info.group, 1, 1);
  return shape.ok() && shape->n_scales() > 0;
}

}  // namespace

SafetensorsCheckpoint::SafetensorsCheckpoint(std::unique_ptr<const ModelFiles> files, ModelConfig config,
                                             TensorSource tensors)
    : files_(std::move(files)), config_(std::move(config)), tensors_(std::move(tensors)) {}

Result<std::unique_ptr<const Checkpoint>> SafetensorsCheckpoint::open_folder(
    std::unique_ptr<const ModelFiles> files) {
  Q3G_ASSIGN(ModelConfig config, read_config(*files));
  Q3G_ASSIGN(TensorSource tensors, TensorSource::open(*files));
  return std::unique_ptr<const Checkpoint>(
      new SafetensorsCheckpoint(std::move(files), std::move(config), std::move(tensors)));
}

Result<std::unique_ptr<const Checkpoint>> SafetensorsCheckpoint::open_packed(Blob file,
                                                                             std::string display_name,
                                                                             std::string path) {
  Q3G_ASSIGN(auto packed, open_packed_file(std::move(file), std::move(display_name), std::move(path)));
  auto files = std::make_unique<const PackedFiles>(packed);
  Q3G_ASSIGN(ModelConfig config, read_config(*files));
  return std::unique_ptr<const Checkpoint>(
      new SafetensorsCheckpoint(std::move(files), std::move(config), TensorSource(std::move(packed))));
}

Result<std::unique_ptr<const Checkpoint>> SafetensorsCheckpoint::open_packed_among(
    std::unique_ptr<const ModelFiles> files, std::string_view packed) {
  Q3G_ASSIGN(Blob blob, files->open(packed));
  Q3G_ASSIGN(auto file, open_packed_file(std::move(blob), files->display_name(packed), files->path(packed)));
  auto all = std::make_unique<const FilesOver>(std::move(files), std::make_unique<const PackedFiles>(file));
  Q3G_ASSIGN(ModelConfig config, read_config(*all));
  return std::unique_ptr<const Checkpoint>(
      new SafetensorsCheckpoint(std::move(all), std::move(config), TensorSource(std::move(file))));
}

Result<CheckpointTensor> SafetensorsCheckpoint::tensor(const std::string& name) const {
  // A packed file is always a single one; a plain one may come in shards.
  const SafetensorsFile& first = *tensors_.files().front();
  if (const std::optional<PackedFileInfo>& file = first.packed_info()) {
    std::string panels = name + std::string(kPackedSuffix);
    if (const StoredTensor* const stored = first.find(panels)) {
      const PackedInfo& packed = file->of(name);
      CheckpointTensor out{part_of({stored, &first}, std::move(panels)), {}, packed, first.owner()};
      if (!has_scales(packed)) return out;
      std::string scales = name + std::string(kScalesSuffix);
      Q3G_ASSIGN(const TensorSource::Found found, tensors_.find(scales));
      out.scales = part_of(found, std::move(scales));
      return out;
    }
  }
  Q3G_ASSIGN(const TensorSource::Found found, tensors_.find(name));
  return CheckpointTensor{part_of(found, name), {}, {}, found.file->owner()};
}

Status SafetensorsCheckpoint::verify(const std::string& tensor) const {
  Q3G_ASSIGN(const TensorSource::Found found, tensors_.find(tensor));
  return found.file->packed_info() ? verify_tensor(*found.file, tensor) : Status();
}

Status SafetensorsCheckpoint::verify_all(const CancelFlag* cancel) const {
  for (const auto& file : tensors_.files()) {
    if (file->packed_info()) Q3G_TRY(verify_tensors(*file, cancel));
  }
  return {};
}

Result<std::vector<ChatTemplateText>> SafetensorsCheckpoint::chat_templates() const {
  return read_chat_templates(*files_);
}

Result<std::optional<NamedBlob>> SafetensorsCheckpoint::kept(std::string_view name) const {
  if (!files_->contains(name)) return std::optional<NamedBlob>();
  Q3G_ASSIGN(Blob blob, files_->open(name));
  return std::optional<NamedBlob>({std::string(name), files_->display_name(name), std::move(blob)});
}

Result<std::vector<NamedBlob>> SafetensorsCheckpoint::description() const {
  std::vector<NamedBlob> out;
  for (const std::string& name : description_names(*files_)) {
    Q3G_ASSIGN(std::optional<NamedBlob> file, kept(name));
    if (file) out.push_back(*std::move(file));
  }
  return out;
}

std::vector<std::string> SafetensorsCheckpoint::paths() const {
  std::vector<std::string> out = tensors_.paths();
  for (const std::string& name : description_names(*files_)) {
    std::string path = files_->path(name);
    if (!path.empty()) out.push_back(std::move(path));
  }
  return out;
}

}  // namespace qwen3guard::detail
