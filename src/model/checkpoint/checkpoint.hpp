// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_CHECKPOINT_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_CHECKPOINT_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/config.hpp"
#include "model/packed_info.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/status.hpp"
#include "util/error.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// Bytes that a checkpoint stores under one name. The views live as long as the checkpoint, `bytes` as long
/// as CheckpointTensor::owner.
struct TensorPart {
  std::string name;                      ///< as it is stored; errors name it
  std::string_view file;                 ///< display name of the file it is in
  std::string_view dtype;                ///< as safetensors spells it: "BF16", "F32", "U8" ...
  std::span<const std::uint64_t> shape;  ///< as it is stored; whoever asks compares
  std::span<const std::byte> bytes;      ///< whoever asks compares their number
};

/// One tensor, plain or packed.
struct CheckpointTensor {
  TensorPart values;                  ///< rows of values in order; panels when packed
  std::optional<TensorPart> scales;   ///< of panels, where their type has scales
  std::optional<PackedInfo> packed;   ///< how `values` are packed; empty for plain rows
  std::shared_ptr<const void> owner;  ///< keeps the bytes alive; null for memory that outlives everything
};

/// "[3, 64]": how errors write a shape.
[[nodiscard]] inline std::string shape_text(std::span<const std::uint64_t> shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) text += concat(i > 0 ? ", " : "", shape[i]);
  return text += "]";
}

/// A chat template's text and the display name of the file it is in.
struct ChatTemplateText {
  std::string text, file;
};

/// Bytes with the name they are kept under and their name in errors.
struct NamedBlob {
  std::string name, display_name;
  Blob blob;
};

/// A model as it is stored, in whatever format: what the rest of the library knows of files. A format is a
/// class like this and a line in open_checkpoint(); docs/checkpoint_formats.md says how to add one.
/// Opening reads and checks all that describes the model; tensors stay where they are.
/// Immutable: any thread.
class Checkpoint {
 public:
  virtual ~Checkpoint() = default;

  /// How errors and the log name it: a path, "embedded:nano-gen", "memory".
  [[nodiscard]] virtual std::string name() const = 0;
  /// Within the limits of ModelConfig.
  [[nodiscard]] virtual const ModelConfig& config() const noexcept = 0;
  /// The tensor with this name in published checkpoints, e.g. "model.layers.0.mlp.up_proj.weight".
  /// Errors: bad_checkpoint (missing, or a part of it is; the detail names file and tensor).
  [[nodiscard]] virtual Result<CheckpointTensor> tensor(const std::string& name) const = 0;
  /// The tokenizer in a form that load_tokenizer() knows; other files may be there too. Lives as long as
  /// this.
  [[nodiscard]] virtual const ModelFiles& tokenizer_files() const noexcept = 0;

  /// Compares the plain tensor's bytes with their checksum, where the format has one. Errors: bad_checkpoint.
  [[nodiscard]] virtual Status verify(const std::string& /*tensor*/) const { return {}; }
  /// The same for everything: reads the whole checkpoint. cancel: may be null. Errors: also cancelled.
  [[nodiscard]] virtual Status verify_all(const CancelFlag* /*cancel*/) const { return {}; }
  /// Its chat templates, wherever they stand. Errors: bad_tokenizer; those of ModelFiles::open().
  [[nodiscard]] virtual Result<std::vector<ChatTemplateText>> chat_templates() const {
    return std::vector<ChatTemplateText>();
  }
  /// What was computed when it was packed and kept under this name; empty when there is no such thing.
  [[nodiscard]] virtual Result<std::optional<NamedBlob>> kept(std::string_view /*name*/) const {
    return std::optional<NamedBlob>();
  }
  /// All but the tensors, as files with their published names: what a packed copy keeps. Errors:
  /// unsupported_model (it has no such form, and cannot be packed); those of ModelFiles::open().
  [[nodiscard]] virtual Result<std::vector<NamedBlob>> description() const {
    return error(ErrorCode::unsupported_model, name(), ": is of a format that cannot be packed");
  }
  /// Paths of the files on disk that it is read from: nothing may be written there.
  [[nodiscard]] virtual std::vector<std::string> paths() const { return {}; }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_CHECKPOINT_HPP
