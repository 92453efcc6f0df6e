// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/guard/gen_context.hpp"

namespace qwen3guard::detail {

Status GenContext::feed(std::span<const TokenId> ids) {
  return model_.forward(ids, cache_, workspace_, Span2d<float>(hidden_.data(), 1, hidden_.size()));
}

void GenContext::next_logits(std::span<float> out) const {
  model_.lm_logits(Span2d<const float>(hidden_.data(), 1, hidden_.size()),
                   Span2d<float>(out.data(), 1, out.size()), workspace_);
}

}  // namespace qwen3guard::detail
