// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_WEIGHTS_HPP
#define QWEN3GUARD_SRC_MODEL_WEIGHTS_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "kernels/kernel_table.hpp"
#include "model/checkpoint/checkpoint.hpp"
#include "model/config.hpp"
#include "model/kv_page.hpp"
#include "qwen3guard/status.hpp"
#include "tensor/tensor_view.hpp"
#include "tensor/weight_matrix.hpp"
#include "util/aligned_buffer.hpp"

namespace qwen3guard::detail {

/// Weight of an RMSNorm, widened to float32 when the model is loaded.
using NormWeight = AlignedBuffer<float>;

/// One decoder layer. Shapes with h = hidden_size, q = n_heads * head_dim, kv = n_kv_heads * head_dim,
/// m = intermediate_size.
struct LayerWeights {
  NormWeight input_norm;           ///< [h]
  WeightMatrix q_proj;             ///< [q, h]
  WeightMatrix k_proj;             ///< [kv, h]
  WeightMatrix v_proj;             ///< [kv, h]
  NormWeight q_norm;               ///< [head_dim]
  NormWeight k_norm;               ///< [head_dim]
  WeightMatrix o_proj;             ///< [h, q]
  NormWeight post_attention_norm;  ///< [h]
  WeightMatrix gate_proj;          ///< [m, h]
  WeightMatrix up_proj;            ///< [m, h]
  WeightMatrix down_proj;          ///< [h, m]
};

/// One pair of classification heads with what they share (arXiv:2510.14276, eq. 3).
struct GuardHeadWeights {
  MatrixView pre;       ///< [guard_inner_size, h]
  NormWeight norm;      ///< [guard_inner_size]
  MatrixView risk;      ///< [labels.risk.size(), guard_inner_size]
  MatrixView category;  ///< [labels.category.size(), guard_inner_size]
};

/// How weights are loaded.
struct WeightsOptions {
  Memory memory = nullptr;  ///< where copies live
  bool verify = false;      ///< read everything: every checksum of a packed file, every value of the rest
};

/// All tensors of a checkpoint, each checked for presence, dtype, shape and extent. Matrices are views into
/// the mapped files; one that is not aligned for its dtype (64 bytes when packed) is a copy. Move-only; views
/// stay valid when it moves.
struct Weights {
  WeightMatrix embed_tokens;  ///< [vocab_size, h]
  std::vector<LayerWeights> layers;
  NormWeight final_norm;  ///< [h]
  WeightMatrix lm_head;   ///< [vocab_size, h]; embed_tokens when tied. Causal checkpoints only
  GuardHeadWeights response_heads, query_heads;  ///< guard checkpoints only

  std::int64_t n_parameters = 0;  ///< elements of all tensors in use, a tied head counted once
  std::int64_t n_bytes = 0;       ///< their bytes in the files
  std::string dtype;              ///< "BF16"; "BF16+F32" when mixed; to_text(PackedInfo, ...) when packed
  std::vector<std::shared_ptr<const void>> owners;
  Memory memory;  ///< where the copies live
  std::vector<AlignedBuffer<std::byte>> copies;

  /// How caches keep keys and values for these weights: float16 when those are fp16, bfloat16 when they are
  /// packed otherwise, as computed when they are plain. It does not depend on the machine, because packed
  /// files may hold pages (docs/numerics.md says why these).
  [[nodiscard]] KvType kv_type() const noexcept;

  /// Tensors the model has no use for are ignored. Where a checkpoint has checksums, those of norms and heads
  /// are verified, all others with `verify`. Norms, heads and a sample of all other rows (all of them with
  /// `verify`) are checked for zeros and values that are not finite (model/check_weights.hpp). Errors:
  /// bad_checkpoint (file, tensor, what was found and expected); those of Checkpoint::tensor() and verify().
  [[nodiscard]] static Result<Weights> load(const Checkpoint& checkpoint, const KernelTable& kernels,
                                            const WeightsOptions& options = {});
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_WEIGHTS_HPP
