// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_CLASSIFY_GEN_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_CLASSIFY_GEN_HPP

#include <cstddef>
#include <span>
#include <vector>

#include "guard/gen/verdict_parser.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "guard/loaded/prefix_cache.hpp"
#include "guard/loaded/shared_beginning.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/guard.hpp"

namespace qwen3guard::detail {

/// A conversation as a Gen checkpoint is asked about it.
struct GenPrompt {
  std::vector<TokenId> ids;    ///< the whole prompt
  Role last_role;              ///< whose message is judged
  std::size_t n_needed;        ///< tokens of the prompt and of the longest verdict
  PrefixCache::Shared shared;  ///< what the conversation's cache holds of `ids`, before the verdict

  [[nodiscard]] Subject subject() const noexcept {
    return last_role == Role::user ? Subject::prompt : Subject::response;
  }
  /// What the cache does not hold; at least one.
  [[nodiscard]] std::span<const TokenId> rest() const { return std::span(ids).subspan(shared.n_tokens); }
  /// Sets the verdict's tokens.prompt and .cached.
  void count_tokens(Verdict& verdict) const noexcept {
    verdict.tokens.prompt = static_cast<std::int32_t>(ids.size());
    verdict.tokens.cached = static_cast<std::int32_t>(shared.n_cached);
  }
};

/// The prompt's tokens. Errors: bad_tokenizer (there is none); those of encode_gen_prompt(); context_full,
/// when they and the longest verdict do not fit. Throws std::bad_alloc.
[[nodiscard]] Result<std::vector<TokenId>> render_gen(const Guard::Impl& guard,
                                                      std::span<const Message> messages);

/// Renders the prompt and gives the empty `cache` room for it and its verdict, with what the guard has pinned
/// of it, or what `beginning` has. beginning: may be null. Errors: those of render_gen() and Model::forward.
/// Throws std::bad_alloc.
[[nodiscard]] Result<GenPrompt> begin_gen(const Guard::Impl& guard, std::span<const Message> messages,
                                          SharedBeginning* beginning, KvCache& cache, Workspace& workspace,
                                          const CancelFlag* cancel);

/// Reads what prompts on the message of last_role begin with: nothing, when that is little more than what the
/// guard has pinned. Errors: those of Model::forward. Throws std::bad_alloc.
[[nodiscard]] Result<SharedBeginning> read_gen_beginning(const Guard::Impl& guard, Role last_role,
                                                         std::vector<TokenId> ids, const CancelFlag* cancel);

/// Judges one conversation, and keeps it for the next call. The action, latency and dropped messages are left
/// to the caller; so are all options but `decoder` and `cancel`. Errors: as begin_gen(), decode_constrained()
/// and decode_greedy(). Throws std::bad_alloc.
[[nodiscard]] Result<Verdict> classify_gen(const Guard::Impl& guard, std::span<const Message> messages,
                                           const ClassifyOptions& options,
                                           SharedBeginning* beginning = nullptr);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_CLASSIFY_GEN_HPP
