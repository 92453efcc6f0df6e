// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_MODEL_HPP
#define QWEN3GUARD_SRC_MODEL_MODEL_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "model/config.hpp"
#include "model/kv_cache.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "util/span2d.hpp"

namespace qwen3guard::detail {

class Checkpoint;
struct Weights;
struct KernelTable;

/// Scratch memory of one running call; grows to what the largest call needed and is reused. Not thread-safe.
class Workspace;

/// What a model is told when it is loaded.
struct ModelOptions {
  std::int32_t n_threads = 0;  ///< as GuardOptions::n_threads
  std::string isa;             ///< "": the environment's QWEN3GUARD_ISA, else the best there is
  Memory memory = nullptr;     ///< for keys, values, scratch matrices and copies of weights
  bool verify = false;         ///< as WeightsOptions::verify
};

/// One conversation's part of a batch.
struct ForwardPart {
  std::span<const TokenId> ids;  ///< at positions cache->n_tokens() ...
  KvCache* cache = nullptr;
  std::size_t n_wanted = 0;  ///< hidden states of the last n_wanted ids are asked for
};

/// A checkpoint's weights and the forward pass over them. Immutable after load().
/// Thread-safety: const members on any number of threads, each with its own KvCache and Workspace.
class Model {
 public:
  /// Checks every tensor's presence, dtype, shape and extent before anything is computed. The checkpoint is
  /// not needed afterwards. Errors: those of Weights::load; invalid_argument (n_threads); unsupported_isa.
  [[nodiscard]] static Result<std::shared_ptr<const Model>> load(const Checkpoint& checkpoint,
                                                                 const ModelOptions& options);
  ~Model();

  [[nodiscard]] const ModelConfig& config() const noexcept;
  [[nodiscard]] const Weights& weights() const noexcept;
  [[nodiscard]] std::int64_t n_parameters() const noexcept;
  [[nodiscard]] std::int64_t weight_bytes() const noexcept;
  [[nodiscard]] const std::string& weight_dtype() const noexcept;  ///< "BF16", or "BF16+F32" when mixed
  [[nodiscard]] const std::string& isa() const noexcept;
  [[nodiscard]] std::int32_t n_threads() const noexcept;

  /// Runs `ids` [n] at positions cache.n_tokens() ... and appends their keys and values to the cache.
  /// hidden: [m, hidden_size], m <= n: the final-norm hidden states of the last m positions.
  /// The result does not depend on how a sequence is cut into calls, up to rounding (docs/numerics.md).
  /// cancel: looked at before each layer; may be null.
  /// Errors: token_out_of_range (index and id); context_full (cache capacity); cancelled; the cache is then
  /// unchanged.
  /// Source: arXiv:2505.09388; oracle `forward` in tests/golden.
  [[nodiscard]] Status forward(std::span<const TokenId> ids, KvCache& cache, Workspace& workspace,
                               Span2d<float> hidden, const CancelFlag* cancel) const;

  /// forward() for several conversations in the same matrix products. hidden: [sum of n_wanted, hidden_size],
  /// part after part. A part's result does not depend on the others beyond rounding (docs/numerics.md), nor
  /// on their order. Errors: as forward(), naming the part when there are several; invalid_argument (a cache
  /// twice). On error all caches are unchanged.
  [[nodiscard]] Status forward_batch(std::span<const ForwardPart> parts, Workspace& workspace,
                                     Span2d<float> hidden, const CancelFlag* cancel) const;

  /// Weights::kv_type().
  [[nodiscard]] KvType kv_type() const noexcept;
  /// An empty cache for this model's conversations of up to capacity_tokens.
  [[nodiscard]] KvCache new_cache(std::size_t capacity_tokens) const;
  [[nodiscard]] const Memory& memory() const noexcept;

  /// Language-model logits: hidden [n, hidden_size] -> out [n, vocab_size]. Causal checkpoints only.
  void lm_logits(Span2d<const float> hidden, Span2d<float> out, Workspace& workspace) const;

  /// Logits of a few tokens only: out[i] = <head row ids[i], hidden>. hidden: [hidden_size]; ids in range.
  void lm_logits_for(std::span<const float> hidden, std::span<const TokenId> ids, std::span<float> out) const;

  /// Classification heads (arXiv:2510.14276, eq. 3): hidden [n, hidden_size] -> risk [n, labels.risk.size()],
  /// category [n, labels.category.size()]. Guard checkpoints only.
  void guard_heads(HeadRole role, Span2d<const float> hidden, Span2d<float> risk, Span2d<float> category,
                   Workspace& workspace) const;

 private:
  struct Impl;
  explicit Model(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_MODEL_HPP
