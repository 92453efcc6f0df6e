// SPDX-License-Identifier: Apache-2.0
#include "util/checked.hpp"

#include "q3g_catch.hpp"

using qwen3guard::detail::checked_add;
using qwen3guard::detail::checked_mul;

TEST_CASE("checked: overflow gives nothing, everything else the value", "[util][checked]") {
  constexpr std::uint64_t kMax = ~std::uint64_t{0};
  CHECK(checked_mul(0, kMax) == 0U);
  CHECK(checked_mul(kMax, 0) == 0U);
  CHECK(checked_mul(kMax, 1) == kMax);
  CHECK_FALSE(checked_mul(kMax, 2));
  CHECK(checked_mul(std::uint64_t{1} << 32, (std::uint64_t{1} << 32) - 1) == kMax - 0xffffffffU);
  CHECK_FALSE(checked_mul(std::uint64_t{1} << 32, std::uint64_t{1} << 32));
  CHECK(checked_add(kMax, 0) == kMax);
  CHECK(checked_add(kMax - 1, 1) == kMax);
  CHECK_FALSE(checked_add(kMax, 1));
}
