// SPDX-License-Identifier: Apache-2.0
#include "evaluation/significance.hpp"

#include <cstdint>
#include <random>
#include <vector>

#include "iterations.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard::evaluation;

TEST_CASE("McNemar: values worked out by hand") {
  // 2 * (1 + 15 + 105 + 455) / 2^15, 2 * (1 + 10) / 2^10, 2 * (1 + 12 + 66) / 2^12
  CHECK(mcnemar_p(12, 3) == Approx(2 * 576.0 / 32768).epsilon(1e-14));
  CHECK(mcnemar_p(9, 1) == Approx(22.0 / 1024).epsilon(1e-14));
  CHECK(mcnemar_p(10, 2) == Approx(158.0 / 4096).epsilon(1e-14));
  CHECK(mcnemar_p(0, 10) == Approx(2.0 / 1024).epsilon(1e-14));
  CHECK(mcnemar_p(0, 0) == 1);
  CHECK(mcnemar_p(1, 0) == 1);
  CHECK(mcnemar_p(3, 3) == 1);
  CHECK(mcnemar_p(3, 4) == 1);
}

TEST_CASE("McNemar: large counts agree with sums of whole numbers, and none overflows") {
  // The exact sums of binomial coefficients as whole numbers, divided once.
  CHECK(mcnemar_p(59, 41) == Approx(0.08862608011406758).epsilon(1e-12));
  CHECK(mcnemar_p(470, 530) == Approx(0.06202319509836318).epsilon(1e-12));
  CHECK(mcnemar_p(400, 100) == Approx(1.6596294752173932e-43).epsilon(1e-12));
  CHECK(mcnemar_p(50300, 49700) == Approx(0.05819735311019374).epsilon(1e-11));
  CHECK(mcnemar_p(51000, 49000) == Approx(2.588716038346898e-10).epsilon(1e-11));
  CHECK(mcnemar_p(50000, 49999) == 1);
  CHECK(mcnemar_p(500, 500) == 1);
  CHECK(mcnemar_p(100000, 0) == 0);  // 2^-99999
  const double many = mcnemar_p(std::int64_t{1} << 39, std::int64_t{1} << 39);
  CHECK(many == 1);
}

TEST_CASE("Holm: values worked out by hand, in the order given") {
  const std::vector<double> adjusted = holm_adjusted(std::vector<double>{0.04, 0.01, 0.03, 0.9});
  REQUIRE(adjusted.size() == 4);
  CHECK(adjusted[0] == Approx(0.09));  // 0.04 * 2 is less than what stands before it
  CHECK(adjusted[1] == Approx(0.04));
  CHECK(adjusted[2] == Approx(0.09));
  CHECK(adjusted[3] == Approx(0.9));
  CHECK(holm_adjusted(std::vector<double>{0.7, 0.6}) == std::vector<double>{1, 1});
  CHECK(holm_adjusted(std::vector<double>{0.03}) == std::vector<double>{0.03});
  CHECK(holm_adjusted({}).empty());
}

TEST_CASE("The p-value of an interval is 0.05 where the interval ends at 0") {
  CHECK(p_of_interval(0.1, {0, 0.2}) == Approx(0.05).epsilon(1e-9));
  CHECK(p_of_interval(-0.1, {-0.2, 0}) == Approx(0.05).epsilon(1e-9));
  CHECK(p_of_interval(0.1, {0.01, 0.19}) < 0.05);
  CHECK(p_of_interval(0, {0, 0}) == 1);
  CHECK(p_of_interval(0.1, {0.1, 0.1}) == 0);
}

TEST_CASE("McNemar: symmetric, a probability, and smaller the more unequal the counts are") {
  std::mt19937 random(20261127);
  for (int i = 0; i < q3g_test::iterations(200); ++i) {
    const auto a = static_cast<std::int64_t>(random() % 3000);
    const std::int64_t b = a + static_cast<std::int64_t>(random() % 300);
    CAPTURE(a, b);
    const double p = mcnemar_p(a, b);
    CHECK(p == mcnemar_p(b, a));
    CHECK((p >= 0 && p <= 1));
    CHECK(mcnemar_p(a, b + 1) <= p + 1e-12);
  }
}

TEST_CASE("Share difference: the adjusted Wald interval by hand") {
  const ShareDifference less = share_difference({50, 12, 3, 35});
  CHECK(less.value == Approx(-0.09));
  CHECK(less.interval.low == Approx(-0.1655896).epsilon(1e-6));
  CHECK(less.interval.high == Approx(-0.0108810).epsilon(1e-5));
  const ShareDifference more = share_difference({50, 3, 12, 35});
  CHECK(more.interval.low == -less.interval.high);
  CHECK(more.interval.high == -less.interval.low);
}

TEST_CASE("Share difference: rows that all agree leave room for a difference, and no rows for any") {
  const ShareDifference same = share_difference({500, 0, 0, 498});
  CHECK(same.value == 0);
  CHECK(same.interval.high == Approx(0.00277181).epsilon(1e-5));
  CHECK(same.interval.low == -same.interval.high);
  CHECK(share_difference({}).interval == Interval{-1, 1});
  CHECK(share_difference({0, 1, 0, 0}).interval.low == -1);
}
