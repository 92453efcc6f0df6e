// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/gen_context.hpp"

namespace qwen3guard::detail {

Status GenContext::feed(std::span<const TokenId> ids) {
  if (workspace_ != nullptr)
    return model_.forward(ids, cache_, *workspace_, Span2d<float>(hidden_.data(), 1, hidden_.size()),
                          cancel_);
  if (n_replayed_ == states_.size()) {
    waiting_ids_.assign(ids.begin(), ids.end());
    return Error{ErrorCode::internal, "a deferred forward waits for its answer"};
  }
  hidden_ = states_[n_replayed_++];
  return {};
}

void GenContext::next_logits(std::span<float> out) const {
  model_.lm_logits(Span2d<const float>(hidden_.data(), 1, hidden_.size()),
                   Span2d<float>(out.data(), 1, out.size()), *workspace_);
}

}  // namespace qwen3guard::detail
