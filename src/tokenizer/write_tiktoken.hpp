// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_WRITE_TIKTOKEN_HPP
#define QWEN3GUARD_SRC_TOKENIZER_WRITE_TIKTOKEN_HPP

#include <string>

#include "qwen3guard/status.hpp"
#include "tokenizer/tokenizer_impl.hpp"

namespace qwen3guard::detail {

/// The texts of a rank file and of the settings beside it.
struct TiktokenTexts {
  std::string ranks, settings;
};

/// The tokenizer in tiktoken's form. That the tiktoken package gives the same ids of every text with it is
/// checked, token by token (see the .cc). Errors: unsupported_model: what it is that the form cannot say.
/// Throws std::bad_alloc.
[[nodiscard]] Result<TiktokenTexts> to_tiktoken(const TokenizerImpl& tokenizer);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_WRITE_TIKTOKEN_HPP
