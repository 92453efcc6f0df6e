// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_MODELS_HPP
#define QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_MODELS_HPP

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "model/checkpoint/checkpoint.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// A model compiled into the library. Errors: file_not_found, with the names there are; those of
/// open_checkpoint().
[[nodiscard]] Result<std::unique_ptr<const Checkpoint>> open_embedded(std::string_view name);

/// Names of the models compiled in; empty with Q3G_EMBED_MODELS=OFF.
[[nodiscard]] std::vector<std::string> embedded_model_names();

/// The index-th of these, NUL-terminated and part of the program; nullptr when there are not so many.
[[nodiscard]] const char* embedded_model_name(std::size_t index) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_MODELS_HPP
