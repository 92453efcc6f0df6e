// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_TENSOR_SOURCE_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_TENSOR_SOURCE_HPP

#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/checkpoint/safetensors.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// The tensors of a checkpoint by name, whether in one file or in shards.
class TensorSource {
 public:
  /// Opens every file. Errors: those of SafetensorsFile::open; file_not_found (neither file, or a shard);
  /// bad_checkpoint (index not as expected, a file name with a folder part, a tensor in two shards).
  [[nodiscard]] static Result<TensorSource> open(const ModelFiles& files);
  /// The tensors of one file.
  explicit TensorSource(std::shared_ptr<const SafetensorsFile> file) { files_.push_back(std::move(file)); }

  struct Found {
    const StoredTensor* tensor;
    const SafetensorsFile* file;
  };
  /// Errors: bad_checkpoint (missing; the detail names the file or index, and the tensor).
  [[nodiscard]] Result<Found> find(const std::string& tensor) const;

  [[nodiscard]] const std::vector<std::shared_ptr<const SafetensorsFile>>& files() const noexcept {
    return files_;
  }
  /// Of all files on disk, the index among them.
  [[nodiscard]] std::vector<std::string> paths() const;

 private:
  TensorSource() = default;
  [[nodiscard]] Status open_shards(const ModelFiles& files);
  std::vector<std::shared_ptr<const SafetensorsFile>> files_;
  std::string index_name_;  ///< display name; empty when there is a single file
  std::string index_path_;
  std::unordered_map<std::string, const SafetensorsFile*> shard_of_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_TENSOR_SOURCE_HPP
