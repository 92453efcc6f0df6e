// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_GEN_CONTEXT_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_GEN_CONTEXT_HPP

#include <cstddef>
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
///
/// Without a workspace it is deferred: feed() computes nothing, so that the feeds of several texts can go
/// through the model together. The decoding stops at the first feed that has no answer yet (is_waiting()
/// tells that from an error), the caller runs waiting_ids() and gives the state to answer(), calls rewind(),
/// and the same decoding starts again: as it is a pure function of the states, it comes to the same point and
/// goes on. What is repeated are looks at a handful of logits.
class GenContext {
 public:
  GenContext(const Model& model, const Tokenizer& tokenizer, KvCache& cache, Workspace* workspace,
             const CancelFlag* cancel)
      : model_(model),
        tokenizer_(tokenizer),
        cache_(cache),
        workspace_(workspace),
        cancel_(cancel),
        hidden_(static_cast<std::size_t>(model.config().hidden_size)) {}

  /// Feeds `ids` in one forward. Errors: those of Model::forward; when deferred, an error without meaning
  /// that says that an answer is waited for.
  [[nodiscard]] Status feed(std::span<const TokenId> ids);

  /// Logits of the next token, for a few candidates or, unless deferred, for the whole vocabulary. Something
  /// was fed before.
  void next_logits(std::span<const TokenId> candidates, std::span<float> out) const {
    model_.lm_logits_for(hidden_, candidates, out);
  }
  void next_logits(std::span<float> out) const;

  [[nodiscard]] const Model& model() const noexcept { return model_; }
  [[nodiscard]] const Tokenizer& tokenizer() const noexcept { return tokenizer_; }
  [[nodiscard]] KvCache& cache() noexcept { return cache_; }

  // Deferred only.
  [[nodiscard]] bool is_waiting() const noexcept { return !waiting_ids_.empty(); }
  [[nodiscard]] std::span<const TokenId> waiting_ids() const noexcept { return waiting_ids_; }
  /// hidden: [hidden_size], the state after the waiting ids, which are in the cache now.
  void answer(std::span<const float> hidden) {
    states_.emplace_back(hidden.begin(), hidden.end());
    waiting_ids_.clear();
  }
  /// Before the decoding starts again.
  void rewind() noexcept { n_replayed_ = 0; }

 private:
  const Model& model_;
  const Tokenizer& tokenizer_;
  KvCache& cache_;
  Workspace* workspace_;       // null: deferred
  const CancelFlag* cancel_;   // of the call; may be null
  std::vector<float> hidden_;  // [hidden_size]
  std::vector<std::vector<float>> states_;
  std::vector<TokenId> waiting_ids_;
  std::size_t n_replayed_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_GEN_CONTEXT_HPP
