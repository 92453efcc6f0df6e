// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_ITERATIONS_HPP
#define QWEN3GUARD_TESTS_ITERATIONS_HPP

namespace q3g_test {

/// How often a test with random data repeats itself: n times, but an eighth of it under a sanitizer, which
/// makes every turn an order of magnitude slower. n is what finds wrong results; what a sanitizer finds shows
/// sooner.
constexpr int iterations(int n) {
#if defined(Q3G_SANITIZED)
  return n < 8 ? 1 : n / 8;
#else
  return n;
#endif
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_ITERATIONS_HPP
