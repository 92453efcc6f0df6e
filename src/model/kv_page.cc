// SPDX-License-Identifier: Apache-2.0
#include "model/kv_page.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "util/checked.hpp"
#include "util/exceptions.hpp"

namespace qwen3guard::detail {

namespace {

std::size_t checked_page_bytes(const KvLayout& layout) {
  std::uint64_t total = 1;
  for (const std::size_t factor :
       {2 * layout.n_layers, layout.n_kv_heads, kKvPageTokens, layout.padded_dim(), sizeof(float)}) {
    const auto product = checked_mul(total, factor);
    if (!product || *product > static_cast<std::uint64_t>(PTRDIFF_MAX)) throw_bad_alloc();
    total = *product;
  }
  return layout.page_bytes();
}

}  // namespace

KvPage::KvPage(const KvLayout& layout, Memory memory)
    : own_(checked_page_bytes(layout), std::move(memory)), data_(own_.data()) {
  if (own_.size() > 0) std::memset(own_.data(), 0, own_.size());
}

void KvPage::copy_from(const KvPage& other, const KvLayout& layout) noexcept {
  std::memcpy(data_, other.data_, layout.page_bytes());
}

void KvPage::store(const KvLayout& layout, std::size_t layer, std::size_t kv_head, std::size_t slot,
                   const float* key, const float* value, const KernelTable& kernels) noexcept {
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
  auto* value_at = reinterpret_cast<std::uint16_t*>(values) + slot / 2 * 32 + slot % 2;
  constexpr std::size_t kAtOnce = 64;
  std::uint16_t rounded[kAtOnce];
  for (std::size_t begin = 0; begin < n; begin += kAtOnce) {
    const std::size_t n_now = std::min(kAtOnce, n - begin);
    kernels.round_bf16(rounded, key + begin, n_now);
    // Two dimensions are neighbours in the same line; the next two are a line further.
    for (std::size_t i = 0; i < n_now; ++i) key_at[(begin + i) / 2 * 32 + i % 2] = rounded[i];
    kernels.round_bf16(rounded, value + begin, n_now);
    for (std::size_t i = 0; i < n_now; ++i) {
      const std::size_t d = begin + i;
      value_at[d / kPanelRows * (kPanelRows * kKvPageTokens) + d % kPanelRows * 2] = rounded[i];
    }
  }
}

}  // namespace qwen3guard::detail
