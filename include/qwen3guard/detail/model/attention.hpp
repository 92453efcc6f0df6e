// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_MODEL_ATTENTION_HPP
#define QWEN3GUARD_DETAIL_MODEL_ATTENTION_HPP

#include <cstddef>
#include <cstdint>
#include <span>

#include "qwen3guard/detail/kernels/kernel_table.hpp"
#include "qwen3guard/detail/model/config.hpp"
#include "qwen3guard/detail/model/kv_cache.hpp"
#include "qwen3guard/detail/util/span2d.hpp"

namespace qwen3guard::detail {

/// What attention() runs with. Borrowed for the call.
struct AttentionContext {
  const ModelConfig& config;
  const KernelTable& kernels;
  int n_threads = 1;
  std::span<float> scratch;  ///< at least attention_scratch_floats() values
};

/// Scratch that attention() needs, whatever the number of tokens.
[[nodiscard]] std::size_t attention_scratch_floats(const ModelConfig& config, int n_threads) noexcept;

/// Causal grouped-query attention of the tokens at positions first_position ... over one layer of the cache,
/// which holds rows up to the last of these positions. q: [n, n_heads * head_dim], after norm and rotation;
/// replaced by the output, same shape. Oracle: `s`, `o` in forward.
/// Scores exist for one block of queries and keys at a time; the softmax is carried from block to block, so
/// the memory does not grow with the length. The result is the same for any number of threads. Throws
/// std::bad_alloc (memory for packing); q is then undefined.
void attention(Span2d<float> q, std::int32_t first_position, std::int32_t layer, const KvCache& cache,
               const AttentionContext& context);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_MODEL_ATTENTION_HPP
