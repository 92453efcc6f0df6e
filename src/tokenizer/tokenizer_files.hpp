// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_TOKENIZER_FILES_HPP
#define QWEN3GUARD_SRC_TOKENIZER_TOKENIZER_FILES_HPP

#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "util/model_files.hpp"

namespace qwen3guard::detail {

/// True when there is a file that load_tokenizer() would begin with.
[[nodiscard]] bool has_tokenizer(const ModelFiles& files);

/// The tokenizer that these files describe: a packed model's snapshot or, failing that, as
/// Tokenizer::load() of a folder. Errors: as Tokenizer::load().
[[nodiscard]] Result<Tokenizer> load_tokenizer(const ModelFiles& files);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_TOKENIZER_FILES_HPP
