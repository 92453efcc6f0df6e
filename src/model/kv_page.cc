// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/model/kv_page.hpp"

#include <cstring>
#include <new>

#include "qwen3guard/detail/util/checked.hpp"
#include "qwen3guard/detail/util/half.hpp"

namespace qwen3guard::detail {

namespace {

std::size_t checked_page_bytes(const KvLayout& layout) {
  std::uint64_t total = 1;
  for (const std::size_t factor :
       {2 * layout.n_layers, layout.n_kv_heads, kKvPageTokens, layout.padded_dim(), sizeof(float)}) {
    const auto product = checked_mul(total, factor);
    if (!product || *product > static_cast<std::uint64_t>(PTRDIFF_MAX)) throw std::bad_alloc();
    total = *product;
  }
  return layout.page_bytes();
}

}  // namespace

KvPage::KvPage(const KvLayout& layout) : bytes_(checked_page_bytes(layout)) {
  if (bytes_.size() > 0) std::memset(bytes_.data(), 0, bytes_.size());
}

void KvPage::store(const KvLayout& layout, std::size_t layer, std::size_t kv_head, std::size_t slot,
                   const float* key, const float* value) noexcept {
  std::byte* keys = key_block(layout, layer, kv_head);
  std::byte* values = value_block(layout, layer, kv_head);
  const std::size_t n = layout.head_dim;
  if (layout.type == KvType::f32) {
    std::memcpy(keys + slot * n * sizeof(float), key, n * sizeof(float));
    std::memcpy(values + slot * n * sizeof(float), value, n * sizeof(float));
    return;
  }
  auto* key_at = reinterpret_cast<std::uint16_t*>(keys + slot / kPanelRows * layout.key_panel_bytes()) +
                 slot % kPanelRows * 2;
  for (std::size_t i = 0; i < n; ++i) key_at[i / 2 * 32 + i % 2] = f32_to_bf16(key[i]);
  auto* value_at = reinterpret_cast<std::uint16_t*>(values) + slot / 2 * 32 + slot % 2;
  for (std::size_t i = 0; i < n; ++i)
    value_at[i / kPanelRows * (kPanelRows * kKvPageTokens) + i % kPanelRows * 2] = f32_to_bf16(value[i]);
}

}  // namespace qwen3guard::detail
