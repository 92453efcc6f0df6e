// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_MODEL_PACKED_FILES_HPP
#define QWEN3GUARD_DETAIL_MODEL_PACKED_FILES_HPP

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "qwen3guard/cancel.hpp"
#include "qwen3guard/detail/model/safetensors.hpp"
#include "qwen3guard/detail/tensor/packed_matrix.hpp"
#include "qwen3guard/detail/util/model_files.hpp"
#include "qwen3guard/status.hpp"

/// A packed model file is a safetensors file that holds a whole checkpoint: docs/packed_format.md.
namespace qwen3guard::detail {

inline constexpr std::string_view kPackedVersionKey = "qwen3guard_packed";
inline constexpr std::string_view kPackedVersion = "1";
inline constexpr std::string_view kPackedHeaderKey = "xxh3_header";
inline constexpr std::string_view kPackedTypeKey = "type";
inline constexpr std::string_view kPackedGroupKey = "group";
/// Before a tensor's name: the metadata key of its checksum.
inline constexpr std::string_view kPackedChecksumPrefix = "xxh3:";
/// Before the name of one of the checkpoint's other files: the tensor that holds it.
inline constexpr std::string_view kPackedFilePrefix = "file:";
/// After the published name of a matrix: its packed data, and their scales.
inline constexpr std::string_view kPackedSuffix = ".packed";
inline constexpr std::string_view kScalesSuffix = ".scales";

/// How the matrices of a packed file are stored.
struct PackedInfo {
  PackedType type = PackedType::bf16;
  std::size_t group = 0;
};

/// "int8 (group 64)", "int8 (per row)", "bf16 (packed)".
[[nodiscard]] std::string to_text(const PackedInfo& info);

/// What the metadata says; empty when the file is no packed one. Checks the header's checksum. Errors:
/// unsupported_model (another version; an unknown type or group); bad_checkpoint (checksum).
[[nodiscard]] Result<std::optional<PackedInfo>> read_packed_info(const SafetensorsFile& file);

/// The checksum of a packed file's header: of its JSON text with zeros in the place of the sum itself.
/// Empty when the sum has no place in it.
[[nodiscard]] std::optional<std::string> packed_header_checksum(std::string_view header);

/// Errors: bad_checkpoint: there is no such tensor, no checksum for it, or another one (both are named).
[[nodiscard]] Status verify_tensor(const SafetensorsFile& file, const std::string& tensor);

/// verify_tensor() for every tensor: reads the whole file. Errors: also cancelled. cancel: may be null.
[[nodiscard]] Status verify_tensors(const SafetensorsFile& file, const CancelFlag* cancel);

/// The files of the checkpoint inside a packed model file. "model.safetensors" is the packed file itself, so
/// that whoever loads weights finds them where they always are. A file's checksum is verified when it is
/// opened. Immutable: any thread.
class PackedFiles final : public ModelFiles {
 public:
  /// Maps the file at `path`. Errors: invalid_argument (empty, a NUL byte); file_not_found; io_error; those
  /// of SafetensorsFile::open and read_packed_info; bad_checkpoint (a safetensors file that is no packed
  /// model).
  [[nodiscard]] static Result<PackedFiles> open_path(const std::string& path);
  /// The packed file `name` of other files (tests, embedded data). `files` must outlive what is opened unless
  /// its blobs have owners.
  [[nodiscard]] static Result<PackedFiles> open_in(const ModelFiles& files, std::string_view name);

  [[nodiscard]] bool contains(std::string_view name) const override;
  [[nodiscard]] Result<Blob> open(std::string_view name) const override;
  /// "model.q3g" for the file itself, "model.q3g/config.json" for a part of it.
  [[nodiscard]] std::string display_name(std::string_view name) const override;
  [[nodiscard]] std::string path(std::string_view name) const override;

  [[nodiscard]] const PackedInfo& info() const noexcept { return info_; }
  /// Verifies the checksum of every tensor: reads the whole file. Errors: as verify_tensor();
  /// cancelled. cancel: may be null.
  [[nodiscard]] Status verify(const CancelFlag* cancel = nullptr) const;

 private:
  PackedFiles(SafetensorsFile file, PackedInfo info);
  SafetensorsFile file_;
  PackedInfo info_;
};

/// The checkpoint at `path`: a packed model file, or a folder. Errors: those of PackedFiles::open_path; those
/// of explain_folder(); for what else is missing the folder's errors come when a file in it is opened.
[[nodiscard]] Result<std::unique_ptr<ModelFiles>> open_model_files(const std::string& path);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_MODEL_PACKED_FILES_HPP
