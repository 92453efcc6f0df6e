// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_SAFETENSORS_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_SAFETENSORS_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "model/packed_info.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// One entry of a safetensors header whose extent lies inside the file. `bytes` lives as long as the file.
struct StoredTensor {
  std::string dtype;  ///< as the header spells it: "BF16", "I64" ...
  std::vector<std::uint64_t> shape;
  std::span<const std::byte> bytes;
};

/// One .safetensors file, mapped. Every entry's extent is checked against the file when it is opened.
/// Format: 8 bytes little-endian header length, JSON header, data; docs/checkpoint_formats.md.
class SafetensorsFile {
 public:
  /// Errors: file_not_found; io_error; bad_checkpoint: not a safetensors file (says which one when it is one
  /// of foreign_format()), truncated, header over 100 MB or not JSON, "__metadata__" that is neither null nor
  /// an object of strings, a tensor twice, length other than shape times dtype, extents that overlap, leave a
  /// hole or end outside the file; those of read_packed_info(). The detail names file and tensor.
  [[nodiscard]] static Result<SafetensorsFile> open(const ModelFiles& files, std::string_view name);
  /// The file with these bytes. display_name: how errors name it. path: where it is on disk; may be empty.
  [[nodiscard]] static Result<SafetensorsFile> open(Blob blob, std::string display_name, std::string path);

  /// How errors name the file.
  [[nodiscard]] const std::string& display_name() const noexcept { return display_name_; }
  /// Where it is on disk; empty when it is no file of its own.
  [[nodiscard]] const std::string& path() const noexcept { return path_; }
  [[nodiscard]] const std::unordered_map<std::string, StoredTensor>& tensors() const noexcept {
    return tensors_;
  }
  /// The header's "__metadata__"; empty when there is none.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept { return metadata_; }
  /// How a packed model's matrices are stored; empty for any other file.
  [[nodiscard]] const std::optional<PackedFileInfo>& packed_info() const noexcept { return packed_info_; }
  /// The header's JSON text. Lives as long as owner().
  [[nodiscard]] std::string_view header() const noexcept { return header_; }
  /// The whole file.
  [[nodiscard]] const Blob& blob() const noexcept { return blob_; }
  /// What keeps the bytes alive; null for memory that outlives everything.
  [[nodiscard]] const std::shared_ptr<const void>& owner() const noexcept { return blob_.owner; }
  /// Null when there is none of this name.
  [[nodiscard]] const StoredTensor* find(const std::string& tensor) const noexcept;

 private:
  SafetensorsFile() = default;
  std::string display_name_, path_;
  Blob blob_;
  std::string_view header_;
  std::map<std::string, std::string> metadata_;
  std::optional<PackedFileInfo> packed_info_;
  std::unordered_map<std::string, StoredTensor> tensors_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_SAFETENSORS_HPP
