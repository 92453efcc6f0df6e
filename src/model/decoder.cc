// SPDX-License-Identifier: Apache-2.0
#include "model/decoder.hpp"

#include <algorithm>
#include <cstring>

#include "util/not_cancelled.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// The first n rows of a buffer as [n, cols].
Span2d<float> rows_of(AlignedBuffer<float>& buffer, std::size_t n, std::size_t cols) {
  return {buffer.data(), n, cols};
}

/// body(row) for all rows; blocks of them in parallel when there is enough to do. Rows are independent.
template <class Body>
void for_rows(std::size_t n_rows, std::size_t cols, Workers workers, const Body& body) {
  constexpr std::size_t kBlock = 8, kWorkPerFloat = 8;
  workers.run((n_rows + kBlock - 1) / kBlock, n_rows * cols * kWorkPerFloat, [&](std::size_t block) {
    const std::size_t end = std::min(n_rows, (block + 1) * kBlock);
    for (std::size_t r = block * kBlock; r < end; ++r) body(r);
  });
}

}  // namespace

void DecoderLayers::reserve(std::size_t n_tokens) {
  const std::size_t n = std::min(n_tokens, kChunkTokens);
  const std::size_t h = config_.hidden_size, d = config_.head_dim;
  const std::size_t q = config_.n_heads * d, kv = config_.n_kv_heads * d;
  const std::size_t m = config_.intermediate_size;
  workspace_.x.reserve_discard(n * h);
  workspace_.normed.reserve_discard(n * h);
  workspace_.projected.reserve_discard(n * h);
  workspace_.q.reserve_discard(n * q);
  workspace_.k.reserve_discard(n * kv);
  workspace_.v.reserve_discard(n * kv);
  workspace_.gate.reserve_discard(n * m);
  workspace_.up.reserve_discard(n * m);
  workspace_.rotation.reserve_discard(n * d);
  workspace_.attention.reserve_discard(attention_scratch_floats(config_, workers_.n_threads()));
  workspace_.pieces.reserve(n);
  workspace_.tokens.reserve(n);
}

void DecoderLayers::norm_rows(Span2d<float> y, Span2d<const float> x, const NormWeight& weight) const {
  for_rows(x.rows(), x.cols(), workers_, [&](std::size_t r) {
    kernels_.rms_norm(y.row(r).data(), x.row(r).data(), weight.data(), x.cols(), config_.rms_norm_eps);
  });
}

void DecoderLayers::add_rows(Span2d<float> y, Span2d<const float> x) const {
  for_rows(x.rows(), x.cols(), workers_,
           [&](std::size_t r) { kernels_.add(y.row(r).data(), x.row(r).data(), x.cols()); });
}

void DecoderLayers::embed(std::span<const DecoderPiece> pieces) {
  workspace_.tokens.clear();
  for (const DecoderPiece& piece : pieces) {
    for (std::size_t i = 0; i < piece.ids.size(); ++i)
      workspace_.tokens.push_back({piece.ids[i], piece.first_position + i, piece.cache});
  }
  const auto x = rows_of(workspace_.x, n_rows_, config_.hidden_size);
  const auto rotation = rows_of(workspace_.rotation, n_rows_, config_.head_dim);
  for_rows(n_rows_, x.cols(), workers_, [&](std::size_t r) {
    read_row(x.row(r), weights_.embed_tokens, static_cast<std::size_t>(workspace_.tokens[r].id), kernels_);
    rope_.fill(workspace_.tokens[r].position, rotation.row(r));
  });
}

void DecoderLayers::store_keys_values(const LayerWeights& layer, std::size_t index) {
  const std::size_t d = config_.head_dim, kv = config_.n_kv_heads * d;
  const auto k = rows_of(workspace_.k, n_rows_, kv), v = rows_of(workspace_.v, n_rows_, kv);
  const auto rotation = rows_of(workspace_.rotation, n_rows_, d);
  for_rows(n_rows_, kv, workers_, [&](std::size_t r) {
    const Workspace::Token& token = workspace_.tokens[r];
    for (std::size_t head = 0; head < config_.n_kv_heads; ++head) {
      float* key = k.row(r).data() + head * d;
      kernels_.rms_norm(key, key, layer.k_norm.data(), d, config_.rms_norm_eps);
      kernels_.rotate(key, rotation.row(r).data(), d / 2);
      token.cache->store(index, head, token.position, key, v.row(r).data() + head * d, kernels_);
    }
  });
}

void DecoderLayers::rotate_queries(const LayerWeights& layer, Span2d<float> q,
                                   Span2d<const float> rotation) const {
  const std::size_t d = config_.head_dim;
  for_rows(q.rows(), q.cols(), workers_, [&](std::size_t r) {
    for (std::size_t head = 0; head < config_.n_heads; ++head) {
      float* row = q.row(r).data() + head * d;
      kernels_.rms_norm(row, row, layer.q_norm.data(), d, config_.rms_norm_eps);
      kernels_.rotate(row, rotation.row(r).data(), d / 2);
    }
  });
}

void DecoderLayers::keep_wanted(Span2d<float> rows, std::span<const DecoderPiece> pieces) noexcept {
  if (n_wanted_ == rows.rows()) return;
  std::size_t to = 0, end = 0;
  for (const DecoderPiece& piece : pieces) {
    end += piece.ids.size();
    for (std::size_t from = end - piece.n_wanted; from < end; ++from, ++to) {
      if (from != to) std::memcpy(rows.row(to).data(), rows.row(from).data(), rows.cols() * sizeof(float));
    }
  }
}

void DecoderLayers::attend(const LayerWeights& layer, std::size_t index, std::span<const DecoderPiece> pieces,
                           bool is_last) {
  const std::size_t h = config_.hidden_size, d = config_.head_dim;
  const std::size_t kv = config_.n_kv_heads * d;
  const auto x = rows_of(workspace_.x, n_rows_, h), normed = rows_of(workspace_.normed, n_rows_, h);
  const auto k = rows_of(workspace_.k, n_rows_, kv), v = rows_of(workspace_.v, n_rows_, kv);
  const std::size_t n = is_last ? n_wanted_ : n_rows_;
  const auto q = rows_of(workspace_.q, n, config_.n_heads * d);
  const auto rotation = rows_of(workspace_.rotation, n_rows_, d);
  norm_rows(normed, x, layer.input_norm);
  if (n == n_rows_) {
    const Product all[] = {{q, &layer.q_proj}, {k, &layer.k_proj}, {v, &layer.v_proj}};
    linear(all, normed, products());
    store_keys_values(layer, index);
  } else {
    const Product keys_values[] = {{k, &layer.k_proj}, {v, &layer.v_proj}};
    linear(keys_values, normed, products());
    store_keys_values(layer, index);
    for (const auto& rows : {x, normed, rotation}) keep_wanted(rows, pieces);
    if (n == 0) return;
    linear(q, normed.sub_rows(0, n), layer.q_proj, products());
  }
  rotate_queries(layer, q, rotation.sub_rows(0, n));
  workspace_.pieces.clear();
  std::size_t first_row = 0;
  for (const DecoderPiece& piece : pieces) {
    const std::size_t n_queries = is_last ? piece.n_wanted : piece.ids.size();
    const std::size_t n_skipped = piece.ids.size() - n_queries;
    if (n_queries > 0)
      workspace_.pieces.push_back(
          {q.sub_rows(first_row, n_queries), piece.first_position + n_skipped, piece.cache});
    first_row += n_queries;
  }
  attention(workspace_.pieces, index, {config_, kernels_, workers_, workspace_.attention.span()});
  const auto projected = rows_of(workspace_.projected, n, h);
  linear(projected, q, layer.o_proj, products());
  add_rows(x.sub_rows(0, n), projected);
}

void DecoderLayers::feed_forward(const LayerWeights& layer, std::size_t n) {
  const std::size_t h = config_.hidden_size, m = config_.intermediate_size;
  const auto x = rows_of(workspace_.x, n, h), normed = rows_of(workspace_.normed, n, h),
             projected = rows_of(workspace_.projected, n, h);
  const auto gate = rows_of(workspace_.gate, n, m), up = rows_of(workspace_.up, n, m);
  norm_rows(normed, x, layer.post_attention_norm);
  const Product gate_up[] = {{gate, &layer.gate_proj}, {up, &layer.up_proj}};
  linear(gate_up, normed, products());
  for_rows(n, m, workers_,
           [&](std::size_t r) { kernels_.silu_mul(gate.row(r).data(), up.row(r).data(), m); });
  linear(projected, gate, layer.down_proj, products());
  add_rows(x, projected);
}

Status DecoderLayers::run(std::span<const DecoderPiece> pieces, Span2d<float> hidden,
                          const CancelFlag* cancel) {
  n_rows_ = n_wanted_ = 0;
  for (const DecoderPiece& piece : pieces) {
    n_rows_ += piece.ids.size();
    n_wanted_ += piece.n_wanted;
  }
  embed(pieces);
  for (std::size_t i = 0; i < config_.n_layers; ++i) {
    Q3G_TRY(not_cancelled(cancel));
    const LayerWeights& layer = weights_.layers[i];
    // Nothing reads the last layer's output but the caller: only the positions asked for go through it. Their
    // keys and values have to be there for later tokens all the same.
    const bool is_last = i + 1 == config_.n_layers;
    attend(layer, i, pieces, is_last);
    const std::size_t n = is_last ? n_wanted_ : n_rows_;
    if (n > 0) feed_forward(layer, n);
  }
  if (n_wanted_ > 0)
    norm_rows(hidden, rows_of(workspace_.x, n_wanted_, config_.hidden_size), weights_.final_norm);
  return {};
}

}  // namespace qwen3guard::detail
