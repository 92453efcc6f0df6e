// SPDX-License-Identifier: Apache-2.0
#include "evaluation/reliability.hpp"

#include <vector>

#include "q3g_catch.hpp"

using namespace qwen3guard::evaluation;

TEST_CASE("Reliability: errors by hand") {
  const std::vector<ScoredRow> rows = {{0.25F, false}, {0.25F, true}, {0.75F, true}, {1, true}};
  const Reliability out = reliability(rows).value();
  CHECK(out.n == 4);
  CHECK(out.ece == Approx((0.5 + 0.25 + 0) / 4).epsilon(1e-14));
  CHECK(out.brier == Approx((0.0625 + 0.5625 + 0.0625 + 0) / 4).epsilon(1e-14));
  CHECK(out.bins[2].n == 2);
  CHECK(out.bins[2].mean_score == 0.25);
  CHECK(out.bins[2].positive_rate == 0.5);
  CHECK(out.bins[9].positive_rate == 1.0);
  CHECK(out.bins[0].n == 0);
  CHECK_FALSE(out.bins[0].mean_score);
  CHECK_FALSE(out.bins[0].positive_rate);
  CHECK(out.bins[0].low == 0);
  CHECK(out.bins[9].high == 1);
}

TEST_CASE("Reliability: a bin has its lower end, the last one both") {
  for (int i = 0; i <= 10; ++i) {
    const float score = static_cast<float>(i) / 10.0F;
    const std::vector<ScoredRow> rows = {{score, true}};
    const Reliability out = reliability(rows).value();
    CAPTURE(score);
    CHECK(out.bins[static_cast<std::size_t>(i == 10 ? 9 : i)].n == 1);
  }
  CHECK_FALSE(reliability({}));
}
