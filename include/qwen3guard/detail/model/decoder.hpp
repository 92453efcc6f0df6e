// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_MODEL_DECODER_HPP
#define QWEN3GUARD_DETAIL_MODEL_DECODER_HPP

#include <cstdint>
#include <span>

#include "qwen3guard/detail/kernels/kernel_table.hpp"
#include "qwen3guard/detail/model/config.hpp"
#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/detail/model/rope.hpp"
#include "qwen3guard/detail/model/weights.hpp"
#include "qwen3guard/detail/model/workspace.hpp"
#include "qwen3guard/detail/tensor/linear.hpp"
#include "qwen3guard/detail/util/span2d.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// Tokens that pass through the layers together: enough for the matrix products to run at full speed, and the
/// bound of the workspace.
inline constexpr std::size_t kChunkTokens = 256;

/// The layer loop: token ids in, final-norm hidden states out. Borrows everything for its life.
class Decoder {
 public:
  Decoder(const ModelConfig& config, const Weights& weights, const Rope& rope, const KernelTable& kernels,
          int n_threads, KvCache& cache, Workspace& workspace)
      : config_(config),
        weights_(weights),
        rope_(rope),
        kernels_(kernels),
        n_threads_(n_threads),
        cache_(cache),
        workspace_(workspace) {}

  /// Makes room for chunks of n_tokens. Throws std::bad_alloc.
  void reserve(std::size_t n_tokens);

  /// Runs ids [n], n <= what was reserved, at positions first_position ...; writes their rows of the cache
  /// without marking them present. hidden [m, hidden_size], m <= n: the last m positions. Precondition: ids
  /// are in the vocabulary, the cache has room. Throws std::bad_alloc.
  void run(std::span<const TokenId> ids, std::int32_t first_position, Span2d<float> hidden);

 private:
  void attend(const LayerWeights& layer, std::int32_t index, std::size_t n, std::size_t n_wanted,
              std::int32_t first_position);
  void feed_forward(const LayerWeights& layer, std::size_t n, std::size_t n_wanted);
  void store_keys_values(const LayerWeights& layer, std::int32_t index, std::size_t n,
                         std::int32_t first_position);
  void norm_rows(Span2d<float> y, Span2d<const float> x, const NormWeight& weight) const;
  void add_rows(Span2d<float> y, Span2d<const float> x) const;
  [[nodiscard]] LinearContext products() const { return {kernels_, n_threads_, workspace_.linear.span()}; }

  const ModelConfig& config_;
  const Weights& weights_;
  const Rope& rope_;
  const KernelTable& kernels_;
  int n_threads_;
  KvCache& cache_;
  Workspace& workspace_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_MODEL_DECODER_HPP
