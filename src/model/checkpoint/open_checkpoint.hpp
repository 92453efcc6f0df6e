// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_OPEN_CHECKPOINT_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_OPEN_CHECKPOINT_HPP

#include <memory>
#include <string>
#include <string_view>

#include "model/checkpoint/checkpoint.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// The checkpoint at `path` (UTF-8): a folder, or a file. Errors: those of
/// SafetensorsCheckpoint::open_folder() and open_packed(); those of explain_folder(); invalid_argument
/// (empty, a NUL byte); file_not_found, with what to give instead; io_error.
[[nodiscard]] Result<std::unique_ptr<const Checkpoint>> open_checkpoint(const std::string& path);

/// The checkpoint in memory: a file alone, or the files of a folder. Errors: the same.
[[nodiscard]] Result<std::unique_ptr<const Checkpoint>> open_checkpoint(MemoryFiles files);

/// SafetensorsCheckpoint::open_packed_among().
[[nodiscard]] Result<std::unique_ptr<const Checkpoint>> open_packed_among(MemoryFiles files,
                                                                          std::string_view packed);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_OPEN_CHECKPOINT_HPP
