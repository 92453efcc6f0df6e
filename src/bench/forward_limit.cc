// SPDX-License-Identifier: Apache-2.0
#include "bench/forward_limit.hpp"

#include <algorithm>

#include "model/kv_cache.hpp"

namespace qwen3guard::bench {

using namespace detail;

namespace {

double peak_of(ForwardCost::Arithmetic arithmetic, const Peaks& peaks) noexcept {
  switch (arithmetic) {
    case ForwardCost::Arithmetic::int8:
      return peaks.int8_gops;
    case ForwardCost::Arithmetic::bf16:
      return peaks.bf16_gflops;
    case ForwardCost::Arithmetic::fp32:
      break;
  }
  return peaks.fp32_gflops;
}

std::size_t bytes_of(const MatrixView& m) noexcept { return m.rows * m.cols * size_bytes(m.dtype); }

std::size_t bytes_of(const WeightMatrix& m) noexcept {
  if (!m.is_packed) return bytes_of(m.plain);
  return m.packed.shape.data_bytes() + m.packed.shape.n_scales() * sizeof(std::uint16_t);
}

}  // namespace

double ForwardCost::limit_ms(const Peaks& peaks, std::int32_t n_tokens, std::int32_t history) const noexcept {
  const double n = n_tokens, before = history;
  const double n_pairs = n * before + n * (n + 1) / 2;
  const double ops_s =
      2e-9 * (weights * n / peak_of(linear, peaks) + attended * n_pairs / peak_of(attention, peaks));
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
  const WeightMatrix& first = weights.layers.front().q_proj;
  if (first.is_packed) {
    const bool is_bf16 = first.packed.shape.type == PackedType::bf16;
    cost.linear = is_bf16 ? ForwardCost::Arithmetic::bf16 : ForwardCost::Arithmetic::int8;
    cost.attention = ForwardCost::Arithmetic::bf16;
  }
  // A query and a key: one dot product, and one weighted value, of head_dim each.
  cost.attended = 2.0 * static_cast<double>(config.n_layers * config.n_heads * config.head_dim);
  cost.kv_bytes_per_token = KvCache::bytes_per_token(config, first.is_packed ? KvType::bf16 : KvType::f32);
  return cost;
}

}  // namespace qwen3guard::bench
