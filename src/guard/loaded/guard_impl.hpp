// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LOADED_GUARD_IMPL_HPP
#define QWEN3GUARD_SRC_GUARD_LOADED_GUARD_IMPL_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "guard/loaded/checkpoint_template.hpp"
#include "guard/loaded/prefix_cache.hpp"
#include "guard/loaded/workspace_pool.hpp"
#include "model/model.hpp"
#include "qwen3guard/guard.hpp"

namespace qwen3guard {

/// What a Guard and the sessions it opened share. Immutable but for the pool and the cache of prefixes, which
/// lock for themselves.
class Guard::Impl {
 public:
  Impl(std::shared_ptr<const detail::Model> model, std::optional<Tokenizer> tokenizer,
       std::int32_t max_context_tokens, std::int32_t kept_tokens,
       detail::CheckpointTemplate chat_template = {})
      : model_(std::move(model)),
        tokenizer_(std::move(tokenizer)),
        max_context_tokens_(max_context_tokens),
        chat_template_(std::move(chat_template)),
        prefixes_(kept_tokens) {}

  [[nodiscard]] static Result<Guard> load(const detail::Checkpoint& checkpoint, const GuardOptions& options);

  [[nodiscard]] const detail::Model& model() const noexcept { return *model_; }
  [[nodiscard]] const detail::Model* model_ptr() const noexcept { return model_.get(); }
  [[nodiscard]] const std::optional<Tokenizer>& tokenizer() const noexcept { return tokenizer_; }
  [[nodiscard]] std::int32_t max_context_tokens() const noexcept { return max_context_tokens_; }
  [[nodiscard]] detail::WorkspacePool& pool() const noexcept { return pool_; }
  [[nodiscard]] detail::PrefixCache& prefixes() const noexcept { return prefixes_; }
  [[nodiscard]] bool is_stream() const noexcept {
    return model_->config().architecture == detail::Architecture::guard;
  }

  /// Takes the kept prefixes that a checkpoint brings. Errors: bad_checkpoint.
  [[nodiscard]] Status load_prefixes(const detail::Checkpoint& checkpoint) const;

  /// The tokenizer, for calls that cannot do without. Errors: bad_tokenizer.
  [[nodiscard]] Result<const Tokenizer*> need_tokenizer() const;
  /// The most bytes of a text that the context has room for; a longer one need not be looked at.
  [[nodiscard]] std::size_t max_text_bytes() const noexcept;
  /// Errors: context_full when `n_tokens` do not fit.
  [[nodiscard]] Status check_context(std::size_t n_tokens) const;

  [[nodiscard]] Result<std::vector<HeadLogits>> logits(std::span<const TokenId> ids, bool last_only,
                                                       const CancelFlag* cancel) const;
  [[nodiscard]] ModelInfo info() const;

 private:
  std::shared_ptr<const detail::Model> model_;
  std::optional<Tokenizer> tokenizer_;
  std::int32_t max_context_tokens_;
  detail::CheckpointTemplate chat_template_;
  mutable detail::WorkspacePool pool_;
  mutable detail::PrefixCache prefixes_;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_SRC_GUARD_LOADED_GUARD_IMPL_HPP
