// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_WRITE_PACKED_HPP
#define QWEN3GUARD_SRC_MODEL_WRITE_PACKED_HPP

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/checkpoint/checkpoint.hpp"
#include "model/packed_info.hpp"
#include "qwen3guard/status.hpp"
#include "util/output_file.hpp"

namespace qwen3guard::detail {

/// A further tensor of bytes, e.g. "file:tokenizer.snapshot".
struct ExtraTensor {
  std::string name;
  std::vector<std::byte> bytes;
};

/// What write_packed() is told.
struct WriteOptions {
  PackedInfo info;  ///< of the layers' matrices
  /// Of the tables with a row for each token: the embeddings and an untied lm_head. Plain rows, as the
  /// checkpoint has them, when empty.
  std::optional<PackedInfo> vocabulary;
  bool overwrite = false;
  int n_threads = 1;
  std::vector<ExtraTensor> extra;
  /// Called before each tensor with the bytes written and those there will be; false stops. May be empty.
  std::function<bool(std::int64_t n_done, std::int64_t n_total)> progress;
};

/// Sizes of what write_packed() read and wrote.
struct WriteReport {
  std::int64_t source_bytes = 0;  ///< the checkpoint's weights
  std::int64_t file_bytes = 0;    ///< the packed file
  std::string weight_dtype;       ///< Weights::dtype of what was written
};

/// Packs the checkpoint into one file at `path` (docs/packed_format.md). Holds one matrix and its packed form
/// in memory at a time; a matrix that is packed so already is copied. The file appears complete or not at
/// all. Errors: those of Weights::load, Checkpoint::description, packed_shape, pack and OutputFile;
/// invalid_argument (the checkpoint is packed in another form, or `path` is one of its files); cancelled
/// (progress returned false). Throws what `progress` throws, and std::bad_alloc.
[[nodiscard]] Result<WriteReport> write_packed(const Checkpoint& checkpoint, const std::string& path,
                                               const WriteOptions& options);

/// The same, but the file stays beside `path` under the partial_path() of what this returns, and goes with
/// it.
[[nodiscard]] Result<OutputFile> write_packed_temporary(const Checkpoint& checkpoint, const std::string& path,
                                                        const WriteOptions& options);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_WRITE_PACKED_HPP
