// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_MODEL_WORKSPACE_HPP
#define QWEN3GUARD_DETAIL_MODEL_WORKSPACE_HPP

#include "qwen3guard/detail/util/aligned_buffer.hpp"

namespace qwen3guard::detail {

/// Scratch memory of one running call: grows to what the largest call needed and is reused, so that decoding
/// token by token allocates nothing once it runs. Holds no state between calls; any model may use it.
/// Not thread-safe; movable.
class Workspace {
 public:
  // Rows of one chunk of tokens, [chunk, width].
  AlignedBuffer<float> x;          ///< residual stream [chunk, hidden_size]
  AlignedBuffer<float> normed;     ///< [chunk, hidden_size]
  AlignedBuffer<float> q;          ///< [chunk, n_heads * head_dim]; then the attention's output
  AlignedBuffer<float> k, v;       ///< [chunk, n_kv_heads * head_dim]
  AlignedBuffer<float> gate, up;   ///< [chunk, intermediate_size]
  AlignedBuffer<float> projected;  ///< [chunk, hidden_size], before it is added to x
  AlignedBuffer<float> rotation;   ///< [chunk, head_dim]: cosines, then sines
  AlignedBuffer<float> inner;      ///< [rows, guard_inner_size] of the classification heads

  // Per worker thread.
  AlignedBuffer<float> attention;
  AlignedBuffer<float> linear;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_MODEL_WORKSPACE_HPP
