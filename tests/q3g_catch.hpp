// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_Q3G_CATCH_HPP
#define QWEN3GUARD_TESTS_Q3G_CATCH_HPP

/// Catch2 2 and 3 have different headers; tests include this one and use what both have: TEST_CASE, SECTION,
/// CHECK, REQUIRE, INFO, CAPTURE, FAIL, Approx, GENERATE.
#ifdef Q3G_CATCH2_V2
#include <catch2/catch.hpp>
#else
#include <catch2/catch_all.hpp>
using Catch::Approx;
#endif

#endif  // QWEN3GUARD_TESTS_Q3G_CATCH_HPP
