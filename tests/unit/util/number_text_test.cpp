// SPDX-License-Identifier: Apache-2.0
#include "util/number_text.hpp"

#include <cfloat>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <limits>

#include "q3g_catch.hpp"

using qwen3guard::detail::number_text;

TEST_CASE("number_text: decimals are rounded as printf rounds them", "[util]") {
  CHECK(number_text(0.706F, 2) == "0.71");
  CHECK(number_text(0.0F, 2) == "0.00");
  CHECK(number_text(1.0, 1) == "1.0");
  CHECK(number_text(-12.25, 1) == "-12.2");
  CHECK(number_text(1234567.5, 0) == "1234568");
}

TEST_CASE("number_text: the shortest form of a float is not that of a double", "[util]") {
  CHECK(number_text(0.7F) == "0.7");
  CHECK(number_text(-1.5) == "-1.5");
  CHECK(number_text(1e-6) == "1e-06");
}

TEST_CASE("number_text: what is no number, and the largest, fit", "[util]") {
  CHECK(number_text(std::numeric_limits<double>::quiet_NaN()) == "nan");
  CHECK(number_text(-std::numeric_limits<float>::infinity()) == "-inf");
  CHECK(number_text(std::numeric_limits<double>::infinity(), 2) == "inf");
  CHECK(number_text(-DBL_MAX, 10).size() == 1 + 309 + 1 + 10);
}

TEST_CASE("number_text: the shortest form reads back as the same number", "[util]") {
  std::uint64_t state = 20261125;
  INFO("seed " << state);
  for (int i = 0; i < 2000; ++i) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    const double value =
        std::ldexp(static_cast<double>(state >> 11) - 0x1p52, static_cast<int>(state % 200) - 150);
    const std::string text = number_text(value);
    INFO(text);
    CHECK(std::strtod(text.c_str(), nullptr) == value);
  }
}
