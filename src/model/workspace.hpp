// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_WORKSPACE_HPP
#define QWEN3GUARD_SRC_MODEL_WORKSPACE_HPP

#include <cstdint>
#include <span>
#include <vector>

#include "model/attention.hpp"
#include "model/kv_cache.hpp"
#include "model/model.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "tensor/linear.hpp"
#include "util/aligned_buffer.hpp"

namespace qwen3guard::detail {

/// Consecutive tokens of one conversation inside a chunk.
struct DecoderPiece {
  std::span<const TokenId> ids;
  KvCache* cache = nullptr;  ///< has room for them (KvCache::prepare)
  std::size_t first_position = 0;
  std::size_t n_wanted = 0;  ///< hidden states of the last n_wanted tokens are asked for
};

/// Scratch memory of one running call: grows to what the largest call needed and is reused, so that decoding
/// token by token allocates nothing once it runs. Holds no state between calls; any model may use it.
/// Not thread-safe; movable.
class Workspace {
 public:
  explicit Workspace(const Memory& memory = nullptr)
      : x(0, memory),
        normed(0, memory),
        q(0, memory),
        k(0, memory),
        v(0, memory),
        gate(0, memory),
        up(0, memory),
        projected(0, memory),
        rotation(0, memory),
        inner(0, memory),
        hidden(0, memory),
        risk(0, memory),
        category(0, memory),
        attention(0, memory),
        linear{AlignedBuffer<float>(0, memory), AlignedBuffer<std::byte>(0, memory),
               AlignedBuffer<float>(0, memory), AlignedBuffer<std::int32_t>(0, memory)} {}

  // Rows of one chunk of tokens, [chunk, width].
  AlignedBuffer<float> x;          ///< residual stream [chunk, hidden_size]
  AlignedBuffer<float> normed;     ///< [chunk, hidden_size]
  AlignedBuffer<float> q;          ///< [chunk, n_heads * head_dim]; then the attention's output
  AlignedBuffer<float> k, v;       ///< [chunk, n_kv_heads * head_dim]
  AlignedBuffer<float> gate, up;   ///< [chunk, intermediate_size]
  AlignedBuffer<float> projected;  ///< [chunk, hidden_size], before it is added to x
  AlignedBuffer<float> rotation;   ///< [chunk, head_dim]: cosines, then sines
  AlignedBuffer<float> inner;      ///< [rows, guard_inner_size] of the classification heads

  /// One row of the chunk.
  struct Token {
    TokenId id;
    std::size_t position;
    KvCache* cache;
  };
  std::vector<Token> tokens;
  std::vector<AttentionPiece> pieces;
  std::vector<DecoderPiece> chunk;

  // What callers of the forward pass read and write.
  std::vector<ForwardPart> parts;
  std::vector<std::int32_t> positions;
  AlignedBuffer<float> hidden;          ///< [rows, hidden_size]
  AlignedBuffer<float> risk, category;  ///< [rows, classes]

  AlignedBuffer<float> attention;  ///< per worker thread
  LinearScratch linear;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_WORKSPACE_HPP
