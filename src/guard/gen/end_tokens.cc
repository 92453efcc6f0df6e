// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/end_tokens.hpp"

#include <algorithm>

namespace qwen3guard::detail {

std::vector<TokenId> end_tokens(const ModelConfig& config, const Tokenizer* tokenizer) {
  std::vector<TokenId> out;
  const auto add = [&](TokenId id) {
    if (std::find(out.begin(), out.end(), id) == out.end()) out.push_back(id);
  };
  for (const TokenId id : config.eos_token_ids) add(id);
  if (tokenizer == nullptr) return out;
  for (const char* text : {"<|im_end|>", "<|endoftext|>"}) {
    if (const auto id = tokenizer->find_added(text)) add(*id);
  }
  return out;
}

}  // namespace qwen3guard::detail
