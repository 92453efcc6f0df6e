// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/prompt_prefix.hpp"

#include <array>
#include <cstddef>
#include <utility>
#include <vector>

#include "guard/conversation/gen_template.hpp"
#include "util/common_prefix.hpp"
#include "util/try.hpp"

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

Result<KeptPrefix> compute_prompt_prefix(const Model& model, const Tokenizer& tokenizer, Role last_role,
                                         Workspace& workspace, const CancelFlag* cancel) {
  KeptPrefix prefix;
  Q3G_ASSIGN(prefix.ids, constant_beginning(tokenizer, last_role));
  prefix.cache = model.new_cache(prefix.ids.size());
  if (!prefix.ids.empty()) Q3G_TRY(model.forward(prefix.ids, prefix.cache, workspace, {}, cancel));
  return prefix;
}

Result<PrefixCache::Shared> share_prompt_prefix(const Guard::Impl& guard, Role last_role,
                                                std::span<const TokenId> ids, KvCache& cache,
                                                Workspace& workspace, const CancelFlag* cancel) {
  const auto compute = [&] {
    return compute_prompt_prefix(guard.model(), *guard.tokenizer(), last_role, workspace, cancel);
  };
  return guard.prefixes().share_pinned(last_role, ids, compute, cache);
}

}  // namespace qwen3guard::detail
