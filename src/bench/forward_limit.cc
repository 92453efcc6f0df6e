// SPDX-License-Identifier: Apache-2.0
#include "bench/forward_limit.hpp"

#include <algorithm>

#include "model/kv_cache.hpp"

namespace qwen3guard::bench {

using namespace detail;

namespace {

std::size_t bytes_of(const MatrixView& m) noexcept { return m.rows * m.cols * size_bytes(m.dtype); }

std::size_t bytes_of(const WeightMatrix& m) noexcept {
  if (const MatrixView* plain = m.plain()) return bytes_of(*plain);
  const PackedShape& shape = m.packed()->shape;
  return shape.data_bytes() + shape.n_scales() * sizeof(std::uint16_t);
}

}  // namespace

double ForwardCost::limit_ms(const Peaks& peaks, std::int32_t n_tokens, std::int32_t history) const noexcept {
  const double n = n_tokens, before = history;
  const double n_pairs = n * before + n * (n + 1) / 2;
  const double ops_s = 2e-9 * (weights * n / peaks.of(linear) + attended * n_pairs / peaks.of(attention));
  const double n_bytes = static_cast<double>(weight_bytes) + before * static_cast<double>(kv_bytes_per_token);
  return 1000 * std::max(ops_s, n_bytes * 1e-9 / peaks.read_gb_s);
}

ForwardCost forward_cost(const ModelConfig& config, const Weights& weights) noexcept {
  ForwardCost cost;
  const auto add = [&cost](const auto& matrix, std::size_t rows, std::size_t cols) {
    cost.weights += static_cast<double>(rows) * static_cast<double>(cols);
    cost.weight_bytes += static_cast<std::int64_t>(bytes_of(matrix));
  };
  for (const LayerWeights& layer : weights.layers) {
    for (const WeightMatrix* m : {&layer.q_proj, &layer.k_proj, &layer.v_proj, &layer.o_proj,
                                  &layer.gate_proj, &layer.up_proj, &layer.down_proj})
      add(*m, m->rows(), m->cols());
  }
  if (config.architecture == Architecture::guard) {
    const GuardHeadWeights& heads = weights.response_heads;
    for (const MatrixView* m : {&heads.pre, &heads.risk, &heads.category}) add(*m, m->rows, m->cols);
  }
  const PackedView* packed = weights.layers.front().q_proj.packed();
  if (packed != nullptr) {
    cost.linear = weight_type(packed->shape.type).x;
    cost.attention = kv_format(weights.kv_type()).rounds_queries ? Arithmetic::bf16 : Arithmetic::fp32;
  }
  // A query and a key: one dot product, and one weighted value, of head_dim each.
  cost.attended = 2.0 * static_cast<double>(config.n_layers * config.n_heads * config.head_dim);
  cost.kv_bytes_per_token = KvCache::bytes_per_token(config, weights.kv_type());
  return cost;
}

}  // namespace qwen3guard::bench
