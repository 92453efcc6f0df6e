// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_PROMPT_PREFIX_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_PROMPT_PREFIX_HPP

#include <span>

#include "guard/loaded/guard_impl.hpp"
#include "guard/loaded/prefix_blob.hpp"
#include "guard/loaded/prefix_cache.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/conversation.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// Computes what every Gen prompt starts with. last_role: whose message is judged; selects the template.
/// cancel: may be null. Errors: those of Model::forward and Tokenizer::encode. Throws std::bad_alloc.
[[nodiscard]] Result<KeptPrefix> compute_prompt_prefix(const Model& model, const Tokenizer& tokenizer,
                                                       Role last_role, Workspace& workspace,
                                                       const CancelFlag* cancel);

/// Makes the empty `cache` share what the guard has pinned of the prompt `ids`; the first call computes it.
/// At least one token is left over. The guard has a tokenizer. Errors: as compute_prompt_prefix(). Throws
/// std::bad_alloc.
[[nodiscard]] Result<PrefixCache::Shared> share_prompt_prefix(const Guard::Impl& guard, Role last_role,
                                                              std::span<const TokenId> ids, KvCache& cache,
                                                              Workspace& workspace, const CancelFlag* cancel);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_PROMPT_PREFIX_HPP
