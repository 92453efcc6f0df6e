// SPDX-License-Identifier: Apache-2.0
#include "util/half.hpp"

#include <cmath>
#include <limits>
#include <random>

#include "q3g_catch.hpp"

using namespace qwen3guard::detail;

TEST_CASE("half: every 16-bit pattern survives the way to float32 and back", "[util][half]") {
  for (std::uint32_t i = 0; i <= 0xffff; ++i) {
    const auto h = static_cast<std::uint16_t>(i);
    const float b = bf16_to_f32(h), f = f16_to_f32(h);
    // NaN keeps its sign and becomes quiet; everything else is exact.
    const auto bf16_back = static_cast<std::uint16_t>(std::isnan(b) ? h | 0x40U : h);
    const auto f16_back = static_cast<std::uint16_t>(std::isnan(f) ? h | 0x200U : h);
    if (f32_to_bf16(b) != bf16_back || f32_to_f16(f) != f16_back) {
      CAPTURE(i);
      CHECK(f32_to_bf16(b) == bf16_back);
      CHECK(f32_to_f16(f) == f16_back);
    }
  }
}

TEST_CASE("half: known values", "[util][half]") {
  CHECK(bf16_to_f32(0x3f80) == 1.0F);
  CHECK(bf16_to_f32(0xc049) == -3.140625F);
  CHECK(f16_to_f32(0x3c00) == 1.0F);
  CHECK(f16_to_f32(0x7bff) == 65504.0F);
  CHECK(f16_to_f32(0x0001) == 0x1p-24F);
  CHECK(f16_to_f32(0x8001) == -0x1p-24F);
  CHECK(f16_to_f32(0x7c00) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(f16_to_f32(0x7c01)));
  CHECK(std::signbit(f16_to_f32(0x8000)));
}

TEST_CASE("half: rounding is to nearest, ties to even", "[util][half]") {
  CHECK(f32_to_bf16(1.0F + 0x1p-8F) == 0x3f80);             // tie, even below
  CHECK(f32_to_bf16(1.0F + 0x1p-7F + 0x1p-8F) == 0x3f82);   // tie, even above
  CHECK(f32_to_bf16(1.0F + 0x1p-8F + 0x1p-20F) == 0x3f81);  // just above the tie
  CHECK(f32_to_bf16(std::numeric_limits<float>::max()) == 0x7f80);
  CHECK(f32_to_f16(1.0F + 0x1p-11F) == 0x3c00);
  CHECK(f32_to_f16(1.0F + 0x1p-10F + 0x1p-11F) == 0x3c02);
  CHECK(f32_to_f16(65519.0F) == 0x7bff);
  CHECK(f32_to_f16(65520.0F) == 0x7c00);
  CHECK(f32_to_f16(0x1p-25F) == 0x0000);
  CHECK(f32_to_f16(0x1.8p-25F) == 0x0001);
  CHECK(f32_to_f16(0x1p-14F - 0x1p-26F) == 0x0400);  // rounds up into the normal range
}

TEST_CASE("half: the nearest of all 16-bit values is chosen", "[util][half]") {
  constexpr std::uint64_t kSeed = 5;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < 20000; ++i) {
    const auto f = std::bit_cast<float>(static_cast<std::uint32_t>(random()));
    if (std::isnan(f) || std::abs(f) > 60000.0F) continue;
    const std::uint16_t h = f32_to_f16(f);
    const double error = std::abs(static_cast<double>(f16_to_f32(h)) - static_cast<double>(f));
    for (const int step : {-1, 1}) {
      const auto neighbour = static_cast<std::uint16_t>(h + step);
      if (((neighbour ^ h) & 0x8000U) != 0 || (neighbour & 0x7c00U) == 0x7c00U) continue;
      REQUIRE(error <= std::abs(static_cast<double>(f16_to_f32(neighbour)) - static_cast<double>(f)));
    }
  }
}
