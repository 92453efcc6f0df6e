// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_PACKED_WEIGHTS_HPP
#define QWEN3GUARD_PACKED_WEIGHTS_HPP

/// @file
/// How a packed model file stores weights.

#include <cstdint>

namespace qwen3guard {

/// How the matrices of the decoder's layers are stored in a packed model file. Norms, embeddings and
/// classification heads keep the checkpoint's precision.
enum class PackedWeights : std::int32_t {
  bf16 = 0,  ///< no loss for BF16 checkpoints, as the published ones are
  int8 = 1,  ///< 8 bits and a scale per group: about half the size
  int4 = 2,  ///< 4 bits and a scale per group of 32: about a third
  fp16 = 3,  ///< no loss for F16 checkpoints; activations are not rounded
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_PACKED_WEIGHTS_HPP
