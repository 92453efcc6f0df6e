// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/model/decoder.hpp"

#include <algorithm>
#include <cstring>

#include "qwen3guard/detail/model/attention.hpp"
#include "qwen3guard/detail/util/parallel.hpp"

namespace qwen3guard::detail {
namespace {

std::size_t to_size(std::int32_t n) noexcept { return static_cast<std::size_t>(n); }

/// The first n rows of a buffer as [n, cols].
Span2d<float> rows_of(AlignedBuffer<float>& buffer, std::size_t n, std::size_t cols) {
  return {buffer.data(), n, cols};
}

/// body(row) for all rows; blocks of them in parallel when there is enough to do. Rows are independent.
template <class Body>
void for_rows(std::size_t n_rows, std::size_t cols, int n_threads, const Body& body) {
  constexpr std::size_t kBlock = 16, kMinParallelFloats = std::size_t{1} << 18;
  const std::size_t n_blocks = (n_rows + kBlock - 1) / kBlock;
  parallel_for(n_blocks, n_rows * cols >= kMinParallelFloats ? n_threads : 1, [&](std::size_t block) {
    const std::size_t end = std::min(n_rows, (block + 1) * kBlock);
    for (std::size_t r = block * kBlock; r < end; ++r) body(r);
  });
}

}  // namespace

void Decoder::reserve(std::size_t n_tokens) {
  const std::size_t n = std::min(n_tokens, kChunkTokens);
  const std::size_t h = to_size(config_.hidden_size), d = to_size(config_.head_dim);
  const std::size_t q = to_size(config_.n_heads) * d, kv = to_size(config_.n_kv_heads) * d;
  const std::size_t m = to_size(config_.intermediate_size);
  workspace_.x.reserve_discard(n * h);
  workspace_.normed.reserve_discard(n * h);
  workspace_.projected.reserve_discard(n * h);
  workspace_.q.reserve_discard(n * q);
  workspace_.k.reserve_discard(n * kv);
  workspace_.v.reserve_discard(n * kv);
  workspace_.gate.reserve_discard(n * m);
  workspace_.up.reserve_discard(n * m);
  workspace_.rotation.reserve_discard(n * d);
  workspace_.attention.reserve_discard(attention_scratch_floats(config_, n_threads_));
  workspace_.linear.reserve_discard(linear_scratch_floats(std::max({h, q, m}), n_threads_));
}

void Decoder::norm_rows(Span2d<float> y, Span2d<const float> x, const NormWeight& weight) const {
  for_rows(x.rows(), x.cols(), n_threads_, [&](std::size_t r) {
    kernels_.rms_norm(y.row(r).data(), x.row(r).data(), weight.data(), x.cols(), config_.rms_norm_eps);
  });
}

void Decoder::add_rows(Span2d<float> y, Span2d<const float> x) const {
  for_rows(x.rows(), x.cols(), n_threads_,
           [&](std::size_t r) { kernels_.add(y.row(r).data(), x.row(r).data(), x.cols()); });
}

void Decoder::store_keys_values(const LayerWeights& layer, std::int32_t index, std::size_t n,
                                std::int32_t first_position) {
  const std::size_t d = to_size(config_.head_dim), kv = to_size(config_.n_kv_heads) * d;
  const auto k = rows_of(workspace_.k, n, kv), v = rows_of(workspace_.v, n, kv);
  const auto rotation = rows_of(workspace_.rotation, n, d);
  for_rows(n, kv, n_threads_, [&](std::size_t r) {
    const std::int32_t token = first_position + static_cast<std::int32_t>(r);
    for (std::int32_t head = 0; head < config_.n_kv_heads; ++head) {
      const std::size_t at = to_size(head) * d;
      float* key = cache_.key(index, head, token);
      kernels_.rms_norm(key, k.row(r).data() + at, layer.k_norm.data(), d, config_.rms_norm_eps);
      Rope::apply({key, d}, rotation.row(r));
      std::memcpy(cache_.value(index, head, token), v.row(r).data() + at, d * sizeof(float));
    }
  });
}

void Decoder::attend(const LayerWeights& layer, std::int32_t index, std::size_t n, std::size_t n_wanted,
                     std::int32_t first_position) {
  const std::size_t h = to_size(config_.hidden_size), d = to_size(config_.head_dim);
  const std::size_t kv = to_size(config_.n_kv_heads) * d;
  const auto x = rows_of(workspace_.x, n, h), normed = rows_of(workspace_.normed, n, h);
  norm_rows(normed, x, layer.input_norm);
  linear(rows_of(workspace_.k, n, kv), normed, layer.k_proj.plain, products());
  linear(rows_of(workspace_.v, n, kv), normed, layer.v_proj.plain, products());
  store_keys_values(layer, index, n, first_position);
  if (n_wanted == 0) return;

  const std::size_t first = n - n_wanted;
  const auto q = rows_of(workspace_.q, n_wanted, to_size(config_.n_heads) * d);
  const auto rotation = rows_of(workspace_.rotation, n, d).sub_rows(first, n_wanted);
  linear(q, normed.sub_rows(first, n_wanted), layer.q_proj.plain, products());
  for_rows(n_wanted, q.cols(), n_threads_, [&](std::size_t r) {
    for (std::size_t head = 0; head < to_size(config_.n_heads); ++head) {
      float* row = q.row(r).data() + head * d;
      kernels_.rms_norm(row, row, layer.q_norm.data(), d, config_.rms_norm_eps);
      Rope::apply({row, d}, rotation.row(r));
    }
  });
  attention(q, first_position + static_cast<std::int32_t>(first), index, cache_,
            {config_, kernels_, n_threads_, workspace_.attention.span()});
  const auto projected = rows_of(workspace_.projected, n_wanted, h);
  linear(projected, q, layer.o_proj.plain, products());
  add_rows(x.sub_rows(first, n_wanted), projected);
}

void Decoder::feed_forward(const LayerWeights& layer, std::size_t n, std::size_t n_wanted) {
  const std::size_t h = to_size(config_.hidden_size), m = to_size(config_.intermediate_size);
  const auto x = rows_of(workspace_.x, n, h).sub_rows(n - n_wanted, n_wanted);
  const auto normed = rows_of(workspace_.normed, n_wanted, h),
             projected = rows_of(workspace_.projected, n_wanted, h);
  const auto gate = rows_of(workspace_.gate, n_wanted, m), up = rows_of(workspace_.up, n_wanted, m);
  norm_rows(normed, x, layer.post_attention_norm);
  linear(gate, normed, layer.gate_proj.plain, products());
  linear(up, normed, layer.up_proj.plain, products());
  for_rows(n_wanted, m, n_threads_,
           [&](std::size_t r) { kernels_.silu_mul(gate.row(r).data(), up.row(r).data(), m); });
  linear(projected, gate, layer.down_proj.plain, products());
  add_rows(x, projected);
}

void Decoder::run(std::span<const TokenId> ids, std::int32_t first_position, Span2d<float> hidden) {
  const std::size_t n = ids.size(), h = to_size(config_.hidden_size), d = to_size(config_.head_dim);
  const auto x = rows_of(workspace_.x, n, h), rotation = rows_of(workspace_.rotation, n, d);
  for_rows(n, h, n_threads_, [&](std::size_t r) {
    widen_row(x.row(r), weights_.embed_tokens, to_size(ids[r]), kernels_);
    rope_.fill(first_position + static_cast<std::int32_t>(r), rotation.row(r));
  });
  for (std::int32_t i = 0; i < config_.n_layers; ++i) {
    const LayerWeights& layer = weights_.layers[to_size(i)];
    // Nothing reads the last layer's output but the caller: only the positions asked for go through it. Their
    // keys and values have to be there for later tokens all the same.
    const std::size_t n_wanted = i + 1 == config_.n_layers ? hidden.rows() : n;
    attend(layer, i, n, n_wanted, first_position);
    if (n_wanted > 0) feed_forward(layer, n, n_wanted);
  }
  if (hidden.rows() > 0) norm_rows(hidden, x.sub_rows(n - hidden.rows(), hidden.rows()), weights_.final_norm);
}

}  // namespace qwen3guard::detail
