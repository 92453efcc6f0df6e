// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_RANDOM_DATA_HPP
#define QWEN3GUARD_TESTS_RANDOM_DATA_HPP

/// @file
/// Random data that is the same everywhere: what the standard library's distributions and std::shuffle make
/// of an engine differs between its implementations, and the engines do not. `random` is a std::mt19937 or a
/// std::mt19937_64. Every function rounds once at most, so that a fused multiplication changes nothing.

#include <cstddef>
#include <cstdint>
#include <utility>

namespace q3g_test {

/// The upper 24 bits of the engine's next number.
template <class Engine>
[[nodiscard]] std::int32_t random_24_bits(Engine& random) {
  return static_cast<std::int32_t>(random() >> (Engine::word_size - 24));
}

/// Uniform in [-scale, scale).
template <class Engine>
[[nodiscard]] float random_uniform(Engine& random, float scale = 1.0F) {
  return static_cast<float>(random_24_bits(random) - (1 << 23)) * (scale * 0x1p-23F);
}

/// Nearly normal with mean 0: the sum of twelve uniform numbers, and so never more than 6 deviations.
template <class Engine>
[[nodiscard]] float random_normal(Engine& random, float deviation = 1.0F) {
  std::int32_t sum = -6 * (1 << 24);
  for (int i = 0; i < 12; ++i) sum += random_24_bits(random);
  return static_cast<float>(sum) * (deviation * 0x1p-24F);
}

/// Puts the values into a random order.
template <class Range, class Engine>
void random_shuffle(Range& values, Engine& random) {
  for (std::size_t n = values.size(); n > 1; --n)
    std::swap(values[n - 1], values[static_cast<std::size_t>(random() % n)]);
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_RANDOM_DATA_HPP
