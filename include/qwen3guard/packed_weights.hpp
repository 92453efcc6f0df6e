// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_PACKED_WEIGHTS_HPP
#define QWEN3GUARD_PACKED_WEIGHTS_HPP

/// @file
/// How a packed model file stores weights.

#include <cstdint>

namespace qwen3guard {

/// How the matrices of the decoder's layers are stored in a packed model file. Norms and classification heads
/// keep the checkpoint's precision; PackedEmbeddings is about the rest.
enum class PackedWeights : std::int32_t {
  bf16 = 0,  ///< no loss for BF16 checkpoints, as the published ones are
  int8 = 1,  ///< 8 bits and a scale per group: about half the size
  int4 = 2,  ///< 4 bits and a scale per group of 32: about a third
  fp16 = 3,  ///< no loss for F16 checkpoints; activations are not rounded
};

/// How a packed model file stores the tables with a row for each token: the embeddings and, where it is one
/// of its own, the language-model head.
enum class PackedEmbeddings : std::int32_t {
  automatic = 0,  ///< int8 beside int8 and int4 matrices, plain beside bf16 and fp16
  int8 = 1,       ///< 8 bits and a scale per row: about half the size
  plain = 2,      ///< as the checkpoint has them
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_PACKED_WEIGHTS_HPP
