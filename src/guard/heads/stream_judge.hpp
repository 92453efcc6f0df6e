// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_HEADS_STREAM_JUDGE_HPP
#define QWEN3GUARD_SRC_GUARD_HEADS_STREAM_JUDGE_HPP

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "model/kv_cache.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard::detail {

/// One conversation's tokens in a common forward: all are fed, [first_judged, first_judged + n_judged) are
/// judged.
struct JudgePart {
  std::span<const TokenId> ids;
  KvCache* cache = nullptr;
  HeadRole role = HeadRole::response;
  std::size_t first_judged = 0, n_judged = 0;
};

/// Feeds all parts together and appends their verdicts to `out`, part after part. cancel: may be null.
/// Errors: those of Model::forward_batch, then the caches are unchanged; bad_checkpoint (a logit is not
/// finite): then the caches hold the tokens, and the caller takes them back. Throws std::bad_alloc; the
/// caches are unchanged.
[[nodiscard]] Status judge_together(const Model& model, std::span<const JudgePart> parts,
                                    Workspace& workspace, const CancelFlag* cancel,
                                    std::vector<TokenVerdict>& out);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_HEADS_STREAM_JUDGE_HPP
