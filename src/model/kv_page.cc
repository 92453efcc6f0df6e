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

/// Writes a token's key and value as KvPage::store says. Element [r][j] of a line (packed_args.hpp) is at
/// kRowStep r + kColumnStep j.
template <std::size_t kRowStep, std::size_t kColumnStep>
void store_packed(std::uint16_t* keys, std::uint16_t* values, const KvLayout& layout, std::size_t slot,
                  const float* key, const float* value, const KernelTable& kernels) noexcept {
  constexpr std::size_t kAtOnce = 64, kLine = 2 * kPanelRows, kValuePanel = kPanelRows * kKvPageTokens;
  const auto round = kernels.*layout.format().round;
  std::uint16_t* key_at =
      keys + slot / kPanelRows * (layout.key_panel_bytes() / 2) + slot % kPanelRows * kRowStep;
  std::uint16_t* value_at = values + slot / 2 * kLine + slot % 2 * kColumnStep;
  const std::uint16_t infinity = layout.format().infinity;
  std::uint16_t rounded[kAtOnce];
  bool is_finite = true;
  for (std::size_t begin = 0; begin < layout.head_dim; begin += kAtOnce) {
    const std::size_t n = std::min(kAtOnce, layout.head_dim - begin);
    round(rounded, key + begin, n);
    // Two dimensions are neighbours in the same line; the next two are a line further.
    for (std::size_t i = 0; i < n; ++i) {
      key_at[(begin + i) / 2 * kLine + i % 2 * kColumnStep] = rounded[i];
      is_finite &= (rounded[i] & 0x7fffU) < infinity;
    }
    round(rounded, value + begin, n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t d = begin + i;
      value_at[d / kPanelRows * kValuePanel + d % kPanelRows * kRowStep] = rounded[i];
    }
  }
  if (is_finite) return;
  constexpr std::uint16_t kNan = 0x7fff;  // in both formats
  for (std::size_t d = 0; d < layout.head_dim; ++d)
    value_at[d / kPanelRows * kValuePanel + d % kPanelRows * kRowStep] = kNan;
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
  const auto store = layout.type == KvType::bf16 ? store_packed<2, 1> : store_packed<1, kPanelRows>;
  store(reinterpret_cast<std::uint16_t*>(keys), reinterpret_cast<std::uint16_t*>(values), layout, slot, key,
        value, kernels);
}

}  // namespace qwen3guard::detail
