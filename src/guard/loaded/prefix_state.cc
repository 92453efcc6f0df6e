// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/prefix_state.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <utility>

#include "guard/conversation/chat_template.hpp"
#include "guard/conversation/common_prefix.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// What two prompts with contents of different kinds (letters, a line break) have in common.
Result<std::vector<TokenId>> constant_beginning(const Tokenizer& tokenizer, Role last_role) {
  std::array<std::vector<TokenId>, 2> prompts;
  constexpr std::array<const char*, 2> kContents = {"a", "\n"};
  for (std::size_t i = 0; i < prompts.size(); ++i) {
    std::vector<Message> messages = {{Role::user, kContents[i]}};
    if (last_role == Role::assistant) messages.push_back({Role::assistant, kContents[i]});
    Q3G_ASSIGN(prompts[i], encode_gen_prompt(tokenizer, messages));
  }
  prompts[0].resize(common_prefix(prompts[0], prompts[1]));
  return std::move(prompts[0]);
}

}  // namespace

Result<KeptPrefix> PrefixState::compute(const Model& model, const Tokenizer& tokenizer, Role last_role,
                                        Workspace& workspace, const CancelFlag* cancel) {
  KeptPrefix kept;
  Q3G_ASSIGN(kept.ids, constant_beginning(tokenizer, last_role));
  kept.cache = model.new_cache(static_cast<std::int32_t>(kept.ids.size()));
  if (!kept.ids.empty()) Q3G_TRY(model.forward(kept.ids, kept.cache, workspace, Span2d<float>(), cancel));
  return kept;
}

Result<PrefixState::Filled> PrefixState::fill(const Model& model, const Tokenizer& tokenizer, Role last_role,
                                              std::span<const TokenId> ids, KvCache& cache,
                                              Workspace& workspace, const CancelFlag* cancel) {
  std::shared_ptr<const KeptPrefix> kept;
  bool computed_now = false;
  {
    const std::lock_guard lock(mutex_);  // a second caller waits for the first one's result: both need it
    if (kept_ == nullptr) {
      Q3G_ASSIGN(KeptPrefix computed, compute(model, tokenizer, last_role, workspace, cancel));
      kept_ = std::make_shared<const KeptPrefix>(std::move(computed));
      computed_now = true;
    }
    kept = kept_;
  }
  const std::size_t shared = std::min(common_prefix(kept->ids, ids), ids.empty() ? 0 : ids.size() - 1);
  const auto n = static_cast<std::int32_t>(shared);
  cache.share_prefix(kept->cache, n);
  return Filled{n, computed_now ? 0 : n};
}

}  // namespace qwen3guard::detail
