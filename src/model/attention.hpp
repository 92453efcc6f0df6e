// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_ATTENTION_HPP
#define QWEN3GUARD_SRC_MODEL_ATTENTION_HPP

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/kernel_table.hpp"
#include "model/config.hpp"
#include "model/kv_cache.hpp"
#include "util/span2d.hpp"
#include "util/workers.hpp"

namespace qwen3guard::detail {

/// What attention() runs with. Borrowed for the call.
struct AttentionContext {
  const ModelConfig& config;
  const KernelTable& kernels;
  Workers workers;
  std::span<float> scratch;  ///< at least attention_scratch_floats() values, 64-byte aligned
};

/// Consecutive queries of one conversation. cache holds rows up to the last query's position.
struct AttentionPiece {
  Span2d<float> q;  ///< [n, n_heads * head_dim], after norm and rotation; replaced by the output, same shape
  std::size_t first_position = 0;
  const KvCache* cache = nullptr;
  std::size_t first_task = 0;  ///< attention() numbers its tasks here
};

/// Scratch that attention() needs, whatever the number of tokens.
[[nodiscard]] std::size_t attention_scratch_floats(const ModelConfig& config, int n_threads) noexcept;

/// Causal grouped-query attention over one layer of each piece's cache. Oracle: `s`, `o` in forward.
/// Scores exist for one block of queries and keys at a time; the softmax is carried from block to block, so
/// the memory does not grow with the length. With a cache of bfloat16 the queries and the softmax's weights
/// are rounded to bfloat16, and sums are float32; with one of float16 they stay float32. The result is the
/// same for any number of threads and does not depend on the other pieces. Throws std::bad_alloc (memory for
/// packing); q is then undefined.
void attention(std::span<AttentionPiece> pieces, std::size_t layer, const AttentionContext& context);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_ATTENTION_HPP
