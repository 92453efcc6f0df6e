// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_MODEL_VISIT_WEIGHTS_HPP
#define QWEN3GUARD_SRC_MODEL_VISIT_WEIGHTS_HPP

#include <cstdint>
#include <string>

#include "model/config.hpp"
#include "model/weights.hpp"
#include "qwen3guard/status.hpp"
#include "util/concat.hpp"
#include "util/try.hpp"

/// The published names and shapes of a checkpoint's tensors, in one place for those who read them and those
/// who write them. A visitor has, each returning a Status:
///   norm(name, n, NormWeight&)                 a vector [n]
///   matrix(name, rows, cols, MatrixView&)      a matrix that always stays plain: a head
///   projection(name, rows, cols, WeightMatrix&)  one that may be packed
///   vocabulary(name, rows, cols, WeightMatrix&)  the same with a row for each token
namespace qwen3guard::detail {

template <class Visitor, class Layer>
Status visit_layer(Visitor& visit, const ModelConfig& config, const std::string& prefix, Layer& layer) {
  const std::size_t h = config.hidden_size, m = config.intermediate_size;
  const std::size_t q = config.n_heads * config.head_dim, kv = config.n_kv_heads * config.head_dim;
  Q3G_TRY(visit.norm(prefix + "input_layernorm.weight", h, layer.input_norm));
  Q3G_TRY(visit.projection(prefix + "self_attn.q_proj.weight", q, h, layer.q_proj));
  Q3G_TRY(visit.projection(prefix + "self_attn.k_proj.weight", kv, h, layer.k_proj));
  Q3G_TRY(visit.projection(prefix + "self_attn.v_proj.weight", kv, h, layer.v_proj));
  Q3G_TRY(visit.norm(prefix + "self_attn.q_norm.weight", config.head_dim, layer.q_norm));
  Q3G_TRY(visit.norm(prefix + "self_attn.k_norm.weight", config.head_dim, layer.k_norm));
  Q3G_TRY(visit.projection(prefix + "self_attn.o_proj.weight", h, q, layer.o_proj));
  Q3G_TRY(visit.norm(prefix + "post_attention_layernorm.weight", h, layer.post_attention_norm));
  Q3G_TRY(visit.projection(prefix + "mlp.gate_proj.weight", m, h, layer.gate_proj));
  Q3G_TRY(visit.projection(prefix + "mlp.up_proj.weight", m, h, layer.up_proj));
  return visit.projection(prefix + "mlp.down_proj.weight", h, m, layer.down_proj);
}

template <class Visitor, class Heads>
Status visit_heads(Visitor& visit, const ModelConfig& config, HeadRole role, Heads& heads) {
  const std::string prefix = role == HeadRole::query ? "query_" : "";
  const HeadLabels& labels = config.labels(role);
  const std::size_t inner = config.guard_inner_size;
  Q3G_TRY(visit.matrix(prefix + "risk_level_category_pre.weight", inner, config.hidden_size, heads.pre));
  Q3G_TRY(visit.norm(prefix + "risk_level_category_layernorm.weight", inner, heads.norm));
  Q3G_TRY(visit.matrix(prefix + "risk_level_head.weight", labels.risk.size(), inner, heads.risk));
  return visit.matrix(prefix + "category_head.weight", labels.category.size(), inner, heads.category);
}

/// All tensors of `weights` (const or not) that a model of this config uses; a tied head is not visited.
/// weights.layers may still be empty: `layer(i)` gives the i-th.
template <class Visitor, class SomeWeights, class LayerAt>
Status visit_weights(Visitor& visit, const ModelConfig& config, SomeWeights& weights, const LayerAt& layer) {
  const auto vocab_size = static_cast<std::size_t>(config.vocab_size);
  Q3G_TRY(
      visit.vocabulary("model.embed_tokens.weight", vocab_size, config.hidden_size, weights.embed_tokens));
  for (std::size_t i = 0; i < config.n_layers; ++i)
    Q3G_TRY(visit_layer(visit, config, concat("model.layers.", i, "."), layer(i)));
  Q3G_TRY(visit.norm("model.norm.weight", config.hidden_size, weights.final_norm));
  if (config.architecture == Architecture::guard) {
    Q3G_TRY(visit_heads(visit, config, HeadRole::response, weights.response_heads));
    return visit_heads(visit, config, HeadRole::query, weights.query_heads);
  }
  if (config.tie_word_embeddings) return {};
  return visit.vocabulary("lm_head.weight", vocab_size, config.hidden_size, weights.lm_head);
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_MODEL_VISIT_WEIGHTS_HPP
