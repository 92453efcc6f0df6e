// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_CONFIG_HPP
#define QWEN3GUARD_SRC_MODEL_CONFIG_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/labels.hpp"

namespace qwen3guard::detail {

/// The architectures that load: Qwen3ForCausalLM and Qwen3ForGuardModel.
enum class Architecture { causal_lm, guard };

/// What a model is, checked by the Checkpoint that it comes from: every size is positive and within its
/// limit.
struct ModelConfig {
  /// Far above every published size, and low enough that products of two stay within 40 bits. @{
  static constexpr std::size_t kMaxWidth = 1 << 18;  ///< hidden_size, intermediate_size, n_heads * head_dim
  static constexpr std::size_t kMaxLayers = 1 << 10;
  static constexpr std::size_t kMaxHeads = 1 << 12;
  static constexpr std::size_t kMaxHeadDim = 1 << 10;
  static constexpr std::size_t kMaxVocab = 1 << 22;
  static constexpr std::size_t kMaxPositions = 1 << 24;  /// @}

  Architecture architecture = Architecture::causal_lm;
  std::string architecture_name;
  std::size_t hidden_size = 0;
  std::size_t n_layers = 0;
  std::size_t n_heads = 0;
  std::size_t n_kv_heads = 0;  ///< divides n_heads
  std::size_t head_dim = 0;    ///< even; hidden_size / n_heads when the checkpoint does not say
  std::size_t intermediate_size = 0;
  std::int32_t vocab_size = 0;               ///< ids are below it
  std::int32_t max_position_embeddings = 0;  ///< tokens of the longest context
  double rope_theta = 0;
  float rms_norm_eps = 0;
  bool tie_word_embeddings = false;
  std::vector<std::int32_t> eos_token_ids;  ///< each once

  // Stream checkpoints only.
  std::size_t guard_inner_size = 0;
  HeadLabels response_labels;
  HeadLabels query_labels;

  [[nodiscard]] const HeadLabels& labels(HeadRole role) const noexcept {
    return role == HeadRole::response ? response_labels : query_labels;
  }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_CONFIG_HPP
