// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_MODEL_KV_CACHE_HPP
#define QWEN3GUARD_DETAIL_MODEL_KV_CACHE_HPP

#include <cstddef>
#include <cstdint>

#include "qwen3guard/detail/model/config.hpp"
#include "qwen3guard/detail/util/aligned_buffer.hpp"

namespace qwen3guard::detail {

/// Keys (after norm and rotation) and values of one conversation: float32, per layer [n_kv_heads, capacity,
/// head_dim].
class KvCache {
 public:
  KvCache() = default;
  /// Allocates now. Throws std::bad_alloc.
  KvCache(const ModelConfig& config, std::int32_t capacity_tokens);

  [[nodiscard]] std::int32_t n_tokens() const noexcept { return n_tokens_; }
  [[nodiscard]] std::int32_t capacity_tokens() const noexcept { return capacity_tokens_; }

  /// Forgets everything from token n on. Precondition: 0 <= n <= n_tokens().
  void truncate(std::int32_t n) noexcept { n_tokens_ = n; }

  /// Replaces the contents by the first n tokens of `other` (same model).
  /// Precondition: n <= other.n_tokens() and n <= capacity_tokens().
  void copy_prefix(const KvCache& other, std::int32_t n) noexcept;

  /// Marks n further tokens, whose rows the caller has written, as present.
  void advance(std::int32_t n) noexcept { n_tokens_ += n; }

  /// Row of one token: head_dim floats; the next token's row follows. 0 <= token < capacity_tokens().
  [[nodiscard]] float* key(std::int32_t layer, std::int32_t kv_head, std::int32_t token) noexcept {
    return keys_.data() + offset(layer, kv_head, token);
  }
  [[nodiscard]] float* value(std::int32_t layer, std::int32_t kv_head, std::int32_t token) noexcept {
    return values_.data() + offset(layer, kv_head, token);
  }

  [[nodiscard]] const float* key(std::int32_t layer, std::int32_t kv_head,
                                 std::int32_t token) const noexcept {
    return keys_.data() + offset(layer, kv_head, token);
  }
  [[nodiscard]] const float* value(std::int32_t layer, std::int32_t kv_head,
                                   std::int32_t token) const noexcept {
    return values_.data() + offset(layer, kv_head, token);
  }

  /// Bytes that one token takes in a cache of this model.
  [[nodiscard]] static std::int64_t bytes_per_token(const ModelConfig& config) noexcept;

 private:
  [[nodiscard]] std::size_t offset(std::int32_t layer, std::int32_t kv_head,
                                   std::int32_t token) const noexcept {
    return ((static_cast<std::size_t>(layer) * static_cast<std::size_t>(n_kv_heads_) +
             static_cast<std::size_t>(kv_head)) *
                static_cast<std::size_t>(capacity_tokens_) +
            static_cast<std::size_t>(token)) *
           static_cast<std::size_t>(head_dim_);
  }
  std::int32_t n_layers_ = 0, n_kv_heads_ = 0, head_dim_ = 0;
  std::int32_t capacity_tokens_ = 0, n_tokens_ = 0;
  AlignedBuffer<float> keys_, values_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_MODEL_KV_CACHE_HPP
