// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/classify_gen.hpp"

#include <utility>

#include "guard/conversation/gen_template.hpp"
#include "guard/gen/gen_decode.hpp"
#include "guard/gen/prompt_prefix.hpp"
#include "util/not_cancelled.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {

Result<std::vector<TokenId>> render_gen(const Guard::Impl& guard, std::span<const Message> messages) {
  Q3G_ASSIGN(const Tokenizer* tokenizer, guard.need_tokenizer());
  Q3G_ASSIGN(std::vector<TokenId> ids,
             encode_gen_prompt(*tokenizer, messages, static_cast<std::size_t>(guard.max_context_tokens())));
  Q3G_TRY(guard.check_context(ids.size() + static_cast<std::size_t>(kMaxVerdictTokens)));
  return ids;
}

Result<GenPrompt> begin_gen(const Guard::Impl& guard, std::span<const Message> messages,
                            SharedBeginning* beginning, KvCache& cache, Workspace& workspace,
                            const CancelFlag* cancel) {
  Q3G_ASSIGN(std::vector<TokenId> ids, render_gen(guard, messages));
  const std::size_t n_needed = ids.size() + static_cast<std::size_t>(kMaxVerdictTokens);
  cache.set_capacity(n_needed);
  const Role last_role = messages.back().role;
  Q3G_ASSIGN(auto shared, share_prompt_prefix(guard, last_role, ids, cache, workspace, cancel));
  if (beginning != nullptr) beginning->share(ids, ids.size() - 1, cache, shared);
  return GenPrompt{std::move(ids), last_role, n_needed, shared};
}

Result<SharedBeginning> read_gen_beginning(const Guard::Impl& guard, Role last_role, std::vector<TokenId> ids,
                                           const CancelFlag* cancel) {
  constexpr std::size_t kMinTokens = 64;
  auto scratch = guard.pool().borrow(guard.model(), 0);
  KvCache cache = guard.model().new_cache(ids.size());
  Q3G_ASSIGN(const auto shared,
             share_prompt_prefix(guard, last_role, ids, cache, scratch->workspace, cancel));
  if (ids.size() < shared.n_tokens + kMinTokens) return SharedBeginning();
  Q3G_TRY(
      guard.model().forward(std::span(ids).subspan(shared.n_tokens), cache, scratch->workspace, {}, cancel));
  return SharedBeginning(std::move(ids), std::move(cache), shared.n_cached);
}

Result<Verdict> classify_gen(const Guard::Impl& guard, std::span<const Message> messages,
                             const ClassifyOptions& options, SharedBeginning* beginning) {
  const CancelFlag* const cancel = options.cancel.get();
  Q3G_TRY(not_cancelled(cancel));
  auto scratch = guard.pool().borrow(guard.model(), 0);
  KvCache& cache = scratch->cache;
  Q3G_ASSIGN(GenPrompt prompt, begin_gen(guard, messages, beginning, cache, scratch->workspace, cancel));
  guard.prefixes().share_kept(prompt.ids, prompt.n_needed, cache, prompt.shared);
  const GenCall call{guard.model(), *guard.tokenizer(), cache, scratch->workspace, cancel};
  Q3G_ASSIGN(Verdict verdict, options.decoder == Decoder::greedy
                                  ? decode_greedy(call, prompt.rest(), prompt.subject())
                                  : decode_constrained(call, prompt.rest(), prompt.subject()));
  prompt.count_tokens(verdict);
  guard.prefixes().keep(prompt.last_role, std::move(prompt.ids), cache);
  return verdict;
}

}  // namespace qwen3guard::detail
