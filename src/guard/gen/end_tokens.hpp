// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_END_TOKENS_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_END_TOKENS_HPP

#include <vector>

#include "model/config.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// The tokens that end what a model writes, each once: those of its config.json, and <|im_end|> and
/// <|endoftext|> of its vocabulary. tokenizer: may be null. Throws std::bad_alloc.
[[nodiscard]] std::vector<TokenId> end_tokens(const ModelConfig& config, const Tokenizer* tokenizer);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_END_TOKENS_HPP
