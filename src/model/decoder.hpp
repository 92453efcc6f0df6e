// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_DECODER_HPP
#define QWEN3GUARD_SRC_MODEL_DECODER_HPP

#include <cstdint>
#include <span>

#include "kernels/kernel_table.hpp"
#include "model/config.hpp"
#include "model/kv_cache.hpp"
#include "model/rope.hpp"
#include "model/weights.hpp"
#include "model/workspace.hpp"
#include "qwen3guard/cancel.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "tensor/linear.hpp"
#include "util/span2d.hpp"
#include "util/workers.hpp"

namespace qwen3guard::detail {

/// Tokens that pass through the layers together: enough for the matrix products to run at full speed, and the
/// bound of the workspace.
inline constexpr std::size_t kChunkTokens = 256;

/// The layer loop: token ids in, final-norm hidden states out. Borrows everything for its life.
class DecoderLayers {
 public:
  DecoderLayers(const ModelConfig& config, const Weights& weights, const Rope& rope,
                const KernelTable& kernels, Workers workers, Workspace& workspace)
      : config_(config),
        weights_(weights),
        rope_(rope),
        kernels_(kernels),
        workers_(workers),
        workspace_(workspace) {}

  /// Makes room for chunks of n_tokens. Throws std::bad_alloc.
  void reserve(std::size_t n_tokens);

  /// Runs all pieces together, at most as many tokens as were reserved; writes their rows of the caches
  /// without marking them present. hidden: [sum of n_wanted, hidden_size], piece after piece. Precondition:
  /// ids are in the vocabulary; the caches are of different conversations. Errors: cancelled, when `cancel`,
  /// which may be null, was up before a layer. Throws std::bad_alloc.
  [[nodiscard]] Status run(std::span<const DecoderPiece> pieces, Span2d<float> hidden,
                           const CancelFlag* cancel);

 private:
  void embed(std::span<const DecoderPiece> pieces);
  void attend(const LayerWeights& layer, std::size_t index, std::span<const DecoderPiece> pieces,
              bool is_last);
  void feed_forward(const LayerWeights& layer, std::size_t n);
  void store_keys_values(const LayerWeights& layer, std::size_t index);
  void rotate_queries(const LayerWeights& layer, Span2d<float> q, Span2d<const float> rotation) const;
  /// Moves the wanted rows to the front, in order.
  void keep_wanted(Span2d<float> rows, std::span<const DecoderPiece> pieces) noexcept;
  void norm_rows(Span2d<float> y, Span2d<const float> x, const NormWeight& weight) const;
  void add_rows(Span2d<float> y, Span2d<const float> x) const;
  [[nodiscard]] LinearContext products() const { return {kernels_, workers_, workspace_.linear}; }

  const ModelConfig& config_;
  const Weights& weights_;
  const Rope& rope_;
  const KernelTable& kernels_;
  Workers workers_;
  Workspace& workspace_;
  std::size_t n_rows_ = 0, n_wanted_ = 0;  // of the running chunk
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_DECODER_HPP
