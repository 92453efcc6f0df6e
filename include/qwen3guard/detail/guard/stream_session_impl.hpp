// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_STREAM_SESSION_IMPL_HPP
#define QWEN3GUARD_DETAIL_GUARD_STREAM_SESSION_IMPL_HPP

#include <cstdint>
#include <memory>
#include <span>

#include "qwen3guard/detail/guard/chat_template.hpp"
#include "qwen3guard/detail/guard/guard_impl.hpp"
#include "qwen3guard/detail/guard/stream_policy.hpp"
#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/stream_session.hpp"

namespace qwen3guard {

/// A session's own state: its cache and its decision; scratch is the guard's. Not thread-safe.
class StreamSession::Impl {
 public:
  /// Room for `capacity_tokens`, allocated as they come.
  Impl(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options, std::int32_t capacity_tokens);

  /// One session's share of push_prompts().
  struct Prompt {
    Impl* session = nullptr;
    const detail::StreamPrompt* prompt = nullptr;
    bool open_response = true;  ///< feed all its tokens; else up to the query's end only
    Result<TokenVerdict> verdict =
        TokenVerdict{};  ///< the query heads', or an error: then nothing has changed
  };
  /// Feeds rendered prompts to different sessions of `guard` in common forwards. Throws std::bad_alloc; then
  /// nothing has changed.
  static void push_prompts(const Guard::Impl& guard, std::span<Prompt> prompts);
  [[nodiscard]] Result<TokenVerdict> push_conversation(std::span<const Message> messages);
  /// One session's share of push_together().
  struct Push {
    Impl* session = nullptr;
    std::span<const TokenId> ids;
    std::span<TokenVerdict> out;
    Status status;
  };
  /// Judges the next tokens of several sessions in common forwards; a status per push. On error a session is
  /// as it was. A session of another guard, or one that is there twice, gets invalid_argument.
  static void push_together(const Guard::Impl& guard, std::span<Push> pushes);
  [[nodiscard]] Status push_tokens(std::span<const TokenId> ids, std::span<TokenVerdict> out) {
    Push push{this, ids, out, {}};
    push_together(*guard_, {&push, 1});
    return push.status;
  }
  void reset() noexcept;

  [[nodiscard]] const detail::StreamPolicy& policy() const noexcept { return policy_; }
  [[nodiscard]] const detail::KvCache& cache() const noexcept { return cache_; }

 private:
  [[nodiscard]] Status check_room(std::size_t n_tokens) const;
  [[nodiscard]] Status check_push(std::span<const TokenId> ids, std::span<const TokenVerdict> out) const;

  std::shared_ptr<const Guard::Impl> guard_;
  StreamOptions options_;
  detail::KvCache cache_;
  detail::StreamPolicy policy_;
  bool response_open_ = false;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_DETAIL_GUARD_STREAM_SESSION_IMPL_HPP
