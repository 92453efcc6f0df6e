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
/// kRowStep r + kColumnStep j. False: one of the numbers is not finite.
template <std::size_t kRowStep, std::size_t kColumnStep>
bool store_packed(std::uint16_t* keys, std::uint16_t* values, const KvLayout& layout, std::size_t slot,
                  const float* key, const float* value, const KernelTable& kernels) noexcept {
  constexpr std::size_t kAtOnce = 64, kLine = 2 * kPanelRows, kValuePanel = kPanelRows * kKvPageTokens;
  const auto round = kernels.*layout.format().round;
  std::uint16_t* key_at =
      keys + slot / kPanelRows * (layout.key_panel_bytes() / 2) + slot % kPanelRows * kRowStep;
  std::uint16_t* value_at = values + slot / 2 * kLine + slot % 2 * kColumnStep;
  const std::uint16_t infinity = layout.format().infinity;
  std::uint16_t rounded[kAtOnce];
  bool is_key_finite = true, is_value_finite = true;
  for (std::size_t begin = 0; begin < layout.head_dim; begin += kAtOnce) {
    const std::size_t n = std::min(kAtOnce, layout.head_dim - begin);
    round(rounded, key + begin, n);
    // Two dimensions are neighbours in the same line; the next two are a line further.
    for (std::size_t i = 0; i < n; ++i) {
      key_at[(begin + i) / 2 * kLine + i % 2 * kColumnStep] = rounded[i];
      is_key_finite &= (rounded[i] & 0x7fffU) < infinity;
    }
    round(rounded, value + begin, n);
    for (std::size_t i = 0; i < n; ++i) {
      const std::size_t d = begin + i;
      value_at[d / kPanelRows * kValuePanel + d % kPanelRows * kRowStep] = rounded[i];
      is_value_finite &= (rounded[i] & 0x7fffU) < infinity;
    }
  }
  if (is_key_finite) return is_value_finite;
  constexpr std::uint16_t kNan = 0x7fff;  // in both formats
  for (std::size_t d = 0; d < layout.head_dim; ++d)
    value_at[d / kPanelRows * kValuePanel + d % kPanelRows * kRowStep] = kNan;
  return false;
}

}  // namespace

KvPage::KvPage(const KvLayout& layout, Memory memory)
    : own_(checked_page_bytes(layout), std::move(memory)), data_(own_.data()) {
  if (own_.size() > 0) std::memset(own_.data(), 0, own_.size());
}

void KvPage::copy_from(const KvPage& other, const KvLayout& layout) noexcept {
  std::memcpy(data_, other.data_, layout.page_bytes());
  is_poisoned_.store(other.is_poisoned(), std::memory_order_relaxed);
}

void KvPage::forget_values(const KvLayout& layout, std::size_t first_slot) noexcept {
  if (!is_poisoned() || first_slot >= kKvPageTokens) return;
  // A line has two slots; the half that stays is kept aside.
  const std::size_t pair = first_slot / 2, n_panels = (layout.padded_dim() + kPanelRows - 1) / kPanelRows;
  const bool keeps_half = first_slot % 2 != 0;
  const std::size_t column_step = layout.type == KvType::bf16 ? 1 : kPanelRows,
                    row_step = layout.type == KvType::bf16 ? 2 : 1;
  for (std::size_t block = 0; block < layout.n_layers * layout.n_kv_heads; ++block) {
    auto* values = reinterpret_cast<std::uint16_t*>(
        value_block(layout, block / layout.n_kv_heads, block % layout.n_kv_heads));
    for (std::size_t p = 0; p < n_panels; ++p) {
      std::uint16_t* panel = values + p * kPanelRows * kKvPageTokens;
      std::uint16_t* line = panel + pair * 2 * kPanelRows;
      if (keeps_half) {
        for (std::size_t r = 0; r < kPanelRows; ++r) line[r * row_step + column_step] = 0;
        line += 2 * kPanelRows;
      }
      std::fill(line, panel + kPanelRows * kKvPageTokens, std::uint16_t{0});
    }
  }
  if (first_slot == 0) is_poisoned_.store(false, std::memory_order_relaxed);
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
  if (!store(reinterpret_cast<std::uint16_t*>(keys), reinterpret_cast<std::uint16_t*>(values), layout, slot,
             key, value, kernels))
    is_poisoned_.store(true, std::memory_order_relaxed);  // several threads may, each for heads of its own
}

}  // namespace qwen3guard::detail
