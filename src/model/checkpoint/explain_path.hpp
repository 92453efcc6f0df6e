// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CHECKPOINT_EXPLAIN_PATH_HPP
#define QWEN3GUARD_SRC_MODEL_CHECKPOINT_EXPLAIN_PATH_HPP

#include <string>

#include "qwen3guard/status.hpp"

/// What users give in the place of a model, told apart so that the error says what to do instead.
namespace qwen3guard::detail {

/// Errors: invalid_argument (empty, a NUL byte).
[[nodiscard]] Status check_model_path(const std::string& path);

/// The error for a path where nothing is: file_not_found. Recognises a model hub's name and a URL.
[[nodiscard]] Error no_such_model(const std::string& path);

/// For a folder without a model in a form that this library reads. Errors: unsupported_model (a LoRA adapter,
/// PyTorch or GGUF files); file_not_found (a hub's cache, a folder around packed files). Success means that
/// nothing was recognised, or that config.json and weights are there.
[[nodiscard]] Status explain_folder(const std::string& folder);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CHECKPOINT_EXPLAIN_PATH_HPP
