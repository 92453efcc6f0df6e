// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_SAFETENSORS_CHECKPOINT_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_SAFETENSORS_CHECKPOINT_HPP

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint/checkpoint.hpp"
#include "model/checkpoint/tensor_source.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// The published files with their tensors in safetensors files: side by side in a folder, or all in one
/// packed file. A format that has neither is a Checkpoint of its own.
class SafetensorsCheckpoint final : public Checkpoint {
 public:
  /// A published folder, or its files in memory: config.json (and generation_config.json), and
  /// model.safetensors or, failing that, the shards that model.safetensors.index.json names (the order in
  /// which transformers looks). Errors: those of read_config() and TensorSource::open().
  [[nodiscard]] static Result<std::unique_ptr<const Checkpoint>> open_folder(
      std::unique_ptr<const ModelFiles> files);
  /// The packed model file with these bytes. path: where it is on disk; may be empty. Errors: those of
  /// open_packed_file() and read_config().
  [[nodiscard]] static Result<std::unique_ptr<const Checkpoint>> open_packed(Blob file,
                                                                             std::string display_name,
                                                                             std::string path);
  /// The packed model file `packed` of `files`, whose others take the place of those inside it with the same
  /// names: a config.json of its own makes another model of the same tensors. A tokenizer among them is used
  /// when there is none inside.
  /// Errors: those of open_packed().
  [[nodiscard]] static Result<std::unique_ptr<const Checkpoint>> open_packed_among(
      std::unique_ptr<const ModelFiles> files, std::string_view packed);

  [[nodiscard]] std::string name() const override { return files_->name(); }
  [[nodiscard]] const ModelConfig& config() const noexcept override { return config_; }
  [[nodiscard]] Result<CheckpointTensor> tensor(const std::string& name) const override;
  [[nodiscard]] const ModelFiles& tokenizer_files() const noexcept override { return *files_; }
  [[nodiscard]] Status verify(const std::string& tensor) const override;
  [[nodiscard]] Status verify_all(const CancelFlag* cancel) const override;
  [[nodiscard]] Result<std::vector<ChatTemplateText>> chat_templates() const override;
  [[nodiscard]] Result<std::optional<NamedBlob>> kept(std::string_view name) const override;
  [[nodiscard]] Result<std::vector<NamedBlob>> description() const override;
  [[nodiscard]] std::vector<std::string> paths() const override;

 private:
  SafetensorsCheckpoint(std::unique_ptr<const ModelFiles> files, ModelConfig config, TensorSource tensors);
  std::unique_ptr<const ModelFiles> files_;
  ModelConfig config_;
  TensorSource tensors_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_SAFETENSORS_CHECKPOINT_HPP
