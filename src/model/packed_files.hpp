// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_PACKED_FILES_HPP
#define QWEN3GUARD_SRC_MODEL_PACKED_FILES_HPP

#include <memory>
#include <string>
#include <string_view>

#include "model/packed_info.hpp"
#include "model/safetensors.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

/// A packed model file is a safetensors file that holds a whole checkpoint: docs/packed_format.md.
namespace qwen3guard::detail {

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
  /// of SafetensorsFile::open; bad_checkpoint (a safetensors file that is no packed model).
  [[nodiscard]] static Result<PackedFiles> open_path(const std::string& path);
  /// The packed file `name` of other files (tests, embedded data). `files` must outlive what is opened unless
  /// its blobs have owners.
  [[nodiscard]] static Result<PackedFiles> open_in(const ModelFiles& files, std::string_view name);

  [[nodiscard]] bool contains(std::string_view name) const override;
  [[nodiscard]] Result<Blob> open(std::string_view name) const override;
  /// "model.q3g" for the file itself, "model.q3g/config.json" for a part of it.
  [[nodiscard]] std::string display_name(std::string_view name) const override;
  [[nodiscard]] std::string path(std::string_view name) const override;

  /// Of "model.safetensors": the packed file as it was opened.
  [[nodiscard]] std::shared_ptr<const SafetensorsFile> tensors(std::string_view name) const override;

  [[nodiscard]] const PackedInfo& info() const noexcept { return *file_->packed_info(); }
  /// Verifies the checksum of every tensor: reads the whole file. Errors: as verify_tensor();
  /// cancelled. cancel: may be null.
  [[nodiscard]] Status verify(const CancelFlag* cancel = nullptr) const;

 private:
  explicit PackedFiles(std::shared_ptr<const SafetensorsFile> file) noexcept;
  std::shared_ptr<const SafetensorsFile> file_;  // has a packed_info()
};

/// The checkpoint at `path`: a packed model file, or a folder. Errors: those of PackedFiles::open_path; those
/// of explain_folder(); for what else is missing the folder's errors come when a file in it is opened.
[[nodiscard]] Result<std::unique_ptr<ModelFiles>> open_model_files(const std::string& path);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_PACKED_FILES_HPP
