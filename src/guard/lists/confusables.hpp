// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LISTS_CONFUSABLES_HPP
#define QWEN3GUARD_SRC_GUARD_LISTS_CONFUSABLES_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>

namespace qwen3guard::detail {

#include "confusables.inc"

/// What a character looks like, by Unicode's table of confusables (make_confusables.py says with which
/// changes); empty when it stands for itself. For characters that compatibility decomposition leaves alone.
/// Static storage. O(log n).
[[nodiscard]] inline std::span<const std::uint32_t> look_alike_of(std::uint32_t code_point) noexcept {
  const auto* const at = std::lower_bound(std::begin(kConfusables), std::end(kConfusables), code_point);
  if (at == std::end(kConfusables) || *at != code_point) return {};
  const std::uint16_t place = kLookAlikeOf[at - std::begin(kConfusables)];
  return std::span(kLookAlikes).subspan(place >> 4, place & 15U);
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LISTS_CONFUSABLES_HPP
