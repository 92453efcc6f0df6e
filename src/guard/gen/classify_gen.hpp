// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_CLASSIFY_GEN_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_CLASSIFY_GEN_HPP

#include <cstddef>
#include <span>
#include <vector>

#include "guard/gen/verdict_parser.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "guard/loaded/prefix_cache.hpp"
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

/// Renders the prompt and gives the empty `cache` room for it and its verdict, with what the guard has pinned
/// of it. Errors: bad_tokenizer (there is none); those of encode_gen_prompt() and Model::forward;
/// context_full. Throws std::bad_alloc.
[[nodiscard]] Result<GenPrompt> begin_gen(const Guard::Impl& guard, std::span<const Message> messages,
                                          KvCache& cache, Workspace& workspace, const CancelFlag* cancel);

/// Judges one conversation, and keeps it for the next call. The action, latency and dropped messages are left
/// to the caller; so are all options but `decoder` and `cancel`. Errors: as begin_gen(), decode_constrained()
/// and decode_greedy(). Throws std::bad_alloc.
[[nodiscard]] Result<Verdict> classify_gen(const Guard::Impl& guard, std::span<const Message> messages,
                                           const ClassifyOptions& options);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_CLASSIFY_GEN_HPP
