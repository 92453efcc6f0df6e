// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_Q3G_CATCH_HPP
#define QWEN3GUARD_TESTS_Q3G_CATCH_HPP

#include <cstdio>

/// Catch2 2 and 3 have different headers; tests include this one and use what both have: TEST_CASE, SECTION,
/// CHECK, REQUIRE, INFO, CAPTURE, FAIL, Approx, GENERATE.
#ifdef Q3G_CATCH2_V2
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
#endif

/// Ends a test case that lacks data it cannot bring along; ctest counts it as skipped.
#define Q3G_SKIP(reason)                        \
  do {                                          \
    std::printf("q3g-skipped: %s\n", (reason)); \
    return;                                     \
  } while (false)

#endif  // QWEN3GUARD_TESTS_Q3G_CATCH_HPP
