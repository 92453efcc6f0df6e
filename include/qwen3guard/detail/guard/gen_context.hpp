// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_GUARD_GEN_CONTEXT_HPP
#define QWEN3GUARD_DETAIL_GUARD_GEN_CONTEXT_HPP

#include <span>
#include <vector>

#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/detail/model/model.hpp"
#include "qwen3guard/detail/model/workspace.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// A Gen checkpoint in the middle of one text: what has been fed is in the cache, and `hidden` is the
/// final-norm state of the last token. References are borrowed. Not thread-safe.
class GenContext {
 public:
  GenContext(const Model& model, const Tokenizer& tokenizer, KvCache& cache, Workspace& workspace)
      : model_(model),
        tokenizer_(tokenizer),
        cache_(cache),
        workspace_(workspace),
        hidden_(static_cast<std::size_t>(model.config().hidden_size)) {}

  /// Feeds `ids` in one forward. Errors: those of Model::forward.
  [[nodiscard]] Status feed(std::span<const TokenId> ids);

  /// Logits of the next token, for a few candidates or for the whole vocabulary. Something was fed before.
  void next_logits(std::span<const TokenId> candidates, std::span<float> out) const {
    model_.lm_logits_for(hidden_, candidates, out);
  }
  void next_logits(std::span<float> out) const;

  [[nodiscard]] const Model& model() const noexcept { return model_; }
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return tokenizer_; }
  [[nodiscard]] KvCache& cache() noexcept { return cache_; }

 private:
  const Model& model_;
  const Tokenizer& tokenizer_;
  KvCache& cache_;
  Workspace& workspace_;
  std::vector<float> hidden_;  // [hidden_size]
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_GUARD_GEN_CONTEXT_HPP
