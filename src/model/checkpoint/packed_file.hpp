// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_PACKED_FILE_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_PACKED_FILE_HPP

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "model/checkpoint/safetensors.hpp"
#include "model/packed_info.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

/// A packed model file is a safetensors file that holds a whole checkpoint: docs/packed_format.md.
namespace qwen3guard::detail {

/// Errors: bad_checkpoint: there is no such tensor, no checksum for it, or another one (both are named).
[[nodiscard]] Status verify_tensor(const SafetensorsFile& file, const std::string& tensor);

/// verify_tensor() for every tensor: reads the whole file. Errors: also cancelled. cancel: may be null.
[[nodiscard]] Status verify_tensors(const SafetensorsFile& file, const CancelFlag* cancel);

/// The packed model file with these bytes; it has a packed_info(). path: as SafetensorsFile::path(). Errors:
/// those of SafetensorsFile::open(); bad_checkpoint (a safetensors file that is no packed model).
[[nodiscard]] Result<std::shared_ptr<const SafetensorsFile>> open_packed_file(Blob blob,
                                                                              std::string display_name,
                                                                              std::string path);

/// verify_tensors() for the packed file at `path`, whatever model it holds. Errors: also invalid_argument
/// (empty, a NUL byte); file_not_found; io_error; those of open_packed_file().
[[nodiscard]] Status verify_packed_file(const std::string& path, const CancelFlag* cancel);

/// The files that a packed file holds besides its tensors. A file's checksum is verified when it is opened.
/// Immutable: any thread.
class PackedFiles final : public ModelFiles {
 public:
  explicit PackedFiles(std::shared_ptr<const SafetensorsFile> file) noexcept : file_(std::move(file)) {}
  [[nodiscard]] bool contains(std::string_view name) const override;
  [[nodiscard]] Result<Blob> open(std::string_view name) const override;
  [[nodiscard]] std::vector<std::string> names_ending_in(std::string_view ending) const override;
  [[nodiscard]] std::string name() const override { return file_->display_name(); }
  /// "model.q3g/config.json"
  [[nodiscard]] std::string display_name(std::string_view name) const override;

 private:
  std::shared_ptr<const SafetensorsFile> file_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_PACKED_FILE_HPP
