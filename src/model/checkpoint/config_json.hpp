// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_CONFIG_JSON_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_CONFIG_JSON_HPP

#include "model/config.hpp"
#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// Reads config.json (and generation_config.json when there is one).
/// Errors: file_not_found; bad_checkpoint (file, key, what was found and expected); unsupported_model
/// (another architecture, a rope scaling, an activation, biases, sliding windows, an unknown label).
[[nodiscard]] Result<ModelConfig> read_config(const ModelFiles& files);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_CONFIG_JSON_HPP
