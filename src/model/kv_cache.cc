// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/model/kv_cache.hpp"

#include <cstring>
#include <new>

#include "qwen3guard/detail/util/checked.hpp"

namespace qwen3guard::detail {
namespace {

std::size_t n_floats(const ModelConfig& config, std::int32_t capacity_tokens) {
  std::uint64_t total = 1;
  for (const std::int32_t size : {config.n_layers, config.n_kv_heads, config.head_dim, capacity_tokens}) {
    const auto product = checked_mul(total, static_cast<std::uint64_t>(size < 0 ? 0 : size));
    if (!product) throw std::bad_alloc();
    total = *product;
  }
  if (total > static_cast<std::uint64_t>(PTRDIFF_MAX) / sizeof(float)) throw std::bad_alloc();
  return static_cast<std::size_t>(total);
}

}  // namespace

KvCache::KvCache(const ModelConfig& config, std::int32_t capacity_tokens)
    : n_layers_(config.n_layers),
      n_kv_heads_(config.n_kv_heads),
      head_dim_(config.head_dim),
      capacity_tokens_(capacity_tokens < 0 ? 0 : capacity_tokens),
      keys_(n_floats(config, capacity_tokens)),
      values_(n_floats(config, capacity_tokens)) {}

void KvCache::copy_prefix(const KvCache& other, std::int32_t n) noexcept {
  const std::size_t n_bytes =
      static_cast<std::size_t>(n) * static_cast<std::size_t>(head_dim_) * sizeof(float);
  n_tokens_ = n;
  if (n_bytes == 0 || this == &other) return;
  for (std::int32_t layer = 0; layer < n_layers_; ++layer) {
    for (std::int32_t head = 0; head < n_kv_heads_; ++head) {
      std::memcpy(key(layer, head, 0), other.key(layer, head, 0), n_bytes);
      std::memcpy(value(layer, head, 0), other.value(layer, head, 0), n_bytes);
    }
  }
}

std::int64_t KvCache::bytes_per_token(const ModelConfig& config) noexcept {
  return std::int64_t{2} * config.n_layers * config.n_kv_heads * config.head_dim *
         static_cast<std::int64_t>(sizeof(float));
}

}  // namespace qwen3guard::detail
