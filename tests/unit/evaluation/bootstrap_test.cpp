// SPDX-License-Identifier: Apache-2.0
#include "evaluation/bootstrap.hpp"

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include "iterations.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard::evaluation;

namespace {

Statistic share_of(const std::vector<bool>& is_one) {
  return [&is_one](std::span<const std::uint32_t> weights) {
    double n = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) n += is_one[i] ? weights[i] : 0;
    return std::optional(n / static_cast<double>(weights.size()));
  };
}

}  // namespace

TEST_CASE("Bootstrap: each resample has as many rows, and two statistics see the same ones") {
  constexpr std::size_t kRows = 37;
  std::vector<std::vector<std::uint32_t>> seen[2];
  for (auto& weights_seen : seen) {
    const auto interval = bootstrap_interval(kRows, {50, 7}, [&](std::span<const std::uint32_t> weights) {
      weights_seen.emplace_back(weights.begin(), weights.end());
      return std::optional(1.0);
    });
    CHECK(interval == Interval{1, 1});
  }
  REQUIRE(seen[0].size() == 50);
  CHECK(seen[0] == seen[1]);
  CHECK(seen[0][0] != seen[0][1]);
  for (const auto& weights : seen[0]) CHECK(std::accumulate(weights.begin(), weights.end(), 0U) == kRows);
}

TEST_CASE("Bootstrap: the same numbers everywhere") {
  const Statistic sum_of_squares = [](std::span<const std::uint32_t> weights) {
    double sum = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) sum += static_cast<double>(i * i) * weights[i];
    return std::optional(sum);
  };
  const auto interval = bootstrap_interval(40, {1000, 1}, sum_of_squares).value();
  CHECK(interval.low == Approx(14796.475).epsilon(1e-12));
  CHECK(interval.high == Approx(26206.25).epsilon(1e-12));
  CHECK(bootstrap_interval(40, {1000, 1}, sum_of_squares) == interval);
  CHECK(bootstrap_interval(40, {1000, 2}, sum_of_squares) != interval);
}

TEST_CASE("Bootstrap: a statistic that most resamples do not define has no interval") {
  int n = 0;
  const auto sometimes = [&](int period) {
    return [&n, period](std::span<const std::uint32_t>) {
      return ++n % period == 0 ? std::optional(2.0) : std::nullopt;
    };
  };
  CHECK_FALSE(bootstrap_interval(5, {100, 1}, sometimes(2)));
  CHECK(bootstrap_interval(5, {100, 1}, sometimes(1)) == Interval{2, 2});
  CHECK_FALSE(bootstrap_interval(0, {100, 1}, sometimes(1)));
  CHECK_FALSE(bootstrap_interval(5, {0, 1}, sometimes(1)));
}

TEST_CASE("Bootstrap: intervals hold the true share about 19 times in 20") {
  constexpr std::uint64_t kSeed = 20261129;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  const int n_runs = q3g_test::iterations(160);
  int n_held = 0;
  for (int run = 0; run < n_runs; ++run) {
    std::vector<bool> is_one(200);
    for (auto&& one : is_one) one = random() % 10 < 3;
    const auto interval = bootstrap_interval(is_one.size(), {400, random()}, share_of(is_one)).value();
    n_held += interval.low <= 0.3 && 0.3 <= interval.high ? 1 : 0;
  }
  // Four deviations of a count with p = 0.94.
  const double deviation = std::sqrt(0.94 * 0.06 / n_runs);
  CHECK(static_cast<double>(n_held) / n_runs > 0.94 - 4 * deviation);
  CHECK(static_cast<double>(n_held) / n_runs <= 1);
}
