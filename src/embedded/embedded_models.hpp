// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_MODELS_HPP
#define QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_MODELS_HPP

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/status.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// The files of a model compiled into the library; nullptr when there is none of this name.
[[nodiscard]] std::unique_ptr<ModelFiles> find_embedded_model(std::string_view name);

/// The same for callers that cannot do without. Errors: file_not_found, with the names there are.
[[nodiscard]] Result<std::unique_ptr<ModelFiles>> need_embedded_model(std::string_view name);

/// Names of the models compiled in; empty with Q3G_EMBED_MODELS=OFF.
[[nodiscard]] std::vector<std::string> embedded_model_names();

/// The index-th of these, NUL-terminated and part of the program; nullptr when there are not so many.
[[nodiscard]] const char* embedded_model_name(std::size_t index) noexcept;

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_EMBEDDED_EMBEDDED_MODELS_HPP
