// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_UTIL_CHECKED_HPP
#define QWEN3GUARD_SRC_UTIL_CHECKED_HPP

#include <cstdint>
#include <limits>
#include <optional>

/// Arithmetic on sizes that come from files: empty instead of wrapping around.
namespace qwen3guard::detail {

[[nodiscard]] constexpr std::optional<std::uint64_t> checked_mul(std::uint64_t a, std::uint64_t b) noexcept {
  if (b != 0 && a > std::numeric_limits<std::uint64_t>::max() / b) return std::nullopt;
  return a * b;
}

[[nodiscard]] constexpr std::optional<std::uint64_t> checked_add(std::uint64_t a, std::uint64_t b) noexcept {
  if (a > std::numeric_limits<std::uint64_t>::max() - b) return std::nullopt;
  return a + b;
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_UTIL_CHECKED_HPP
