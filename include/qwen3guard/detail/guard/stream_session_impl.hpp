// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_STREAM_SESSION_IMPL_HPP
#define QWEN3GUARD_DETAIL_GUARD_STREAM_SESSION_IMPL_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "qwen3guard/detail/guard/chat_template.hpp"
#include "qwen3guard/detail/guard/guard_impl.hpp"
#include "qwen3guard/detail/guard/stream_policy.hpp"
#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/detail/model/workspace.hpp"
#include "qwen3guard/stream_session.hpp"

namespace qwen3guard {

/// A session's own state: its cache, its scratch and its decision. Not thread-safe.
class StreamSession::Impl {
 public:
  /// Allocates room for `capacity_tokens`. Throws std::bad_alloc.
  Impl(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options, std::int32_t capacity_tokens);

  /// Feeds the tokens of a rendered prompt: all of them (`open_response`), or up to the query's end only.
  /// Returns the query heads' verdict. On error nothing has changed.
  [[nodiscard]] Result<TokenVerdict> push_rendered(const detail::StreamPrompt& prompt, bool open_response);
  [[nodiscard]] Result<TokenVerdict> push_conversation(std::span<const Message> messages);
  [[nodiscard]] Status push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out);
  void reset() noexcept;

  [[nodiscard]] const detail::StreamPolicy& policy() const noexcept { return policy_; }
  [[nodiscard]] const detail::KvCache& cache() const noexcept { return cache_; }

 private:
  [[nodiscard]] Status check_room(std::size_t n_tokens) const;
  /// Forward and heads for at most kChunkTokens ids; verdicts go to staged_.
  [[nodiscard]] Status judge_chunk(std::span<const TokenId> ids, detail::StreamPolicy& policy);

  std::shared_ptr<const Guard::Impl> guard_;
  StreamOptions options_;
  detail::KvCache cache_;
  detail::Workspace workspace_;
  detail::StreamPolicy policy_;
  bool response_open_ = false;
  std::vector<float> hidden_, risk_, category_;  // [kChunkTokens, hidden_size | classes]
  std::vector<TokenVerdict> staged_;             // verdicts of one call until all of it has succeeded
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_DETAIL_GUARD_STREAM_SESSION_IMPL_HPP
