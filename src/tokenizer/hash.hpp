// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_HASH_HPP
#define QWEN3GUARD_SRC_TOKENIZER_HASH_HPP

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

/// Hashing for the tokenizer's flat tables. Not against attackers: table contents come from the model files,
/// and a lookup that misses stops at the first empty slot of a table at most three quarters full.
namespace qwen3guard::detail {

/// A bijection on 64-bit words whose high and low bits depend on all input bits.
[[nodiscard]] constexpr std::uint64_t mix64(std::uint64_t x) noexcept {
  x ^= x >> 32;
  x *= 0x9E3779B97F4A7C15u;
  x ^= x >> 29;
  x *= 0xD6E8FEB86659FD93u;
  return x ^ (x >> 32);
}

/// The bytes of a string of at most 8 bytes as one word; injective for strings of equal length.
[[nodiscard]] inline std::uint64_t pack_short(std::string_view s) noexcept {
  const char* p = s.data();
  const std::size_t n = s.size();
  if (n >= 4) {
    std::uint32_t head = 0, tail = 0;
    std::memcpy(&head, p, 4);
    std::memcpy(&tail, p + n - 4, 4);
    return (std::uint64_t{tail} << 32) | head;
  }
  if (n == 0) return 0;
  const auto byte_at = [&](std::size_t i) { return std::uint64_t{static_cast<unsigned char>(p[i])}; };
  return byte_at(0) | (byte_at(n / 2) << 8) | (byte_at(n - 1) << 16);
}

/// Hash of any bytes. For s.size() <= 8 two strings of equal length have the same hash only when equal.
[[nodiscard]] inline std::uint64_t hash_bytes(std::string_view s) noexcept {
  const std::size_t n = s.size();
  if (n <= 8) return mix64(pack_short(s) ^ (std::uint64_t{n} << 59));
  std::uint64_t hash = n * 0xA0761D6478BD642Fu;
  std::uint64_t word = 0;
  for (std::size_t i = 0; i + 8 < n; i += 8) {
    std::memcpy(&word, s.data() + i, 8);
    hash = (std::rotl(hash, 23) ^ word) * 0x9E3779B97F4A7C15u;
  }
  std::memcpy(&word, s.data() + n - 8, 8);
  return mix64(std::rotl(hash, 23) ^ word);
}

/// A hint that the cache line at `address` (any value) is read or written soon.
inline void prefetch_line(const void* address) noexcept {
#if defined(__GNUC__) || defined(__clang__)
  __builtin_prefetch(address);
#else
  (void)address;
#endif
}

/// Smallest power of two that keeps a table of n entries at most three quarters full: half the memory of "at
/// most half full" for the Qwen vocabulary, which the caches reward more than shorter probes.
[[nodiscard]] constexpr std::size_t table_slots(std::size_t n) noexcept {
  return std::bit_ceil(n + n / 3 + 2);
}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_HASH_HPP
