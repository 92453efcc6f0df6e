// SPDX-License-Identifier: Apache-2.0
#include "evaluation/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"

using namespace qwen3guard::evaluation;

namespace {

/// Scores in steps, so that many are tied.
std::vector<ScoredRow> random_rows(std::mt19937_64& random, std::size_t n, int n_steps) {
  std::vector<ScoredRow> out;
  for (std::size_t i = 0; i < n; ++i) {
    const auto step = static_cast<int>(random() % static_cast<unsigned>(n_steps));
    out.push_back({static_cast<float>(step) / static_cast<float>(n_steps), random() % 3 == 0});
  }
  return out;
}

/// By its definition: all pairs.
std::optional<double> auc_of_pairs(const std::vector<ScoredRow>& rows,
                                   const std::vector<std::uint32_t>& weights) {
  double won = 0, n = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t k = 0; k < rows.size(); ++k) {
      if (!rows[i].is_positive || rows[k].is_positive) continue;
      const double pairs = static_cast<double>(weights[i]) * weights[k];
      n += pairs;
      won += pairs * (rows[i].score > rows[k].score ? 1 : rows[i].score == rows[k].score ? 0.5 : 0);
    }
  }
  if (n == 0) return std::nullopt;
  return won / n;
}

}  // namespace

TEST_CASE("Ranking: the area under small curves") {
  const auto auc = [](std::vector<ScoredRow> rows) { return Ranking(rows).auc(); };
  CHECK(auc({{0.9F, true}, {0.1F, false}}) == 1.0);
  CHECK(auc({{0.1F, true}, {0.9F, false}}) == 0.0);
  CHECK(auc({{0.5F, true}, {0.5F, false}}) == 0.5);
  CHECK(auc({{0.9F, true}, {0.5F, true}, {0.5F, false}, {0.1F, false}}) == 3.5 / 4);
  CHECK_FALSE(auc({{0.5F, true}, {0.4F, true}}));
  CHECK_FALSE(auc({{0.5F, false}}));
  CHECK_FALSE(auc({}));
}

TEST_CASE("Ranking: the area is that of all pairs, with ties and with weights") {
  constexpr std::uint64_t kSeed = 415;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < q3g_test::iterations(120); ++i) {
    const auto rows = random_rows(random, random() % 60, i % 2 == 0 ? 5 : 1000);
    std::vector<std::uint32_t> weights(rows.size(), 1);
    const Ranking ranking(rows);
    const auto same = [](std::optional<double> a, std::optional<double> b) {
      return a.has_value() == b.has_value() && (!a || std::abs(*a - *b) < 1e-12);
    };
    CHECK(same(ranking.auc(), auc_of_pairs(rows, weights)));
    for (std::uint32_t& weight : weights) weight = static_cast<std::uint32_t>(random() % 4);
    CHECK(same(ranking.auc(weights), auc_of_pairs(rows, weights)));
  }
}

TEST_CASE("Ranking: a curve's points are what their thresholds come to, and none is left out that matters") {
  constexpr std::uint64_t kSeed = 416;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < q3g_test::iterations(24); ++i) {
    const auto rows = random_rows(random, 1 + random() % 700, i % 3 == 0 ? 7 : 100000);
    const auto curve = Ranking(rows).curve();
    const auto n_positive =
        std::count_if(rows.begin(), rows.end(), [](const ScoredRow& row) { return row.is_positive; });
    CHECK(curve.empty() == (n_positive == 0));
    if (curve.empty()) continue;
    CHECK(curve.size() <= 101);
    CHECK(curve.back().recall == 1);
    for (std::size_t k = 0; k < curve.size(); ++k) {
      std::ptrdiff_t tp = 0, fp = 0;
      for (const ScoredRow& row : rows) {
        if (row.score >= curve[k].threshold) ++(row.is_positive ? tp : fp);
      }
      CHECK(curve[k].recall == static_cast<double>(tp) / static_cast<double>(n_positive));
      CHECK(curve[k].precision == static_cast<double>(tp) / static_cast<double>(tp + fp));
      const auto n_negative = static_cast<std::ptrdiff_t>(rows.size()) - n_positive;
      CHECK(curve[k].false_alarm_rate.has_value() == (n_negative > 0));
      if (n_negative > 0)
        CHECK(*curve[k].false_alarm_rate == static_cast<double>(fp) / static_cast<double>(n_negative));
      if (k == 0) continue;
      CHECK(curve[k].threshold < curve[k - 1].threshold);
      const double step = std::max(0.01, 1.0 / static_cast<double>(n_positive));
      if (i % 3 != 0) CHECK(curve[k].recall - curve[k - 1].recall < 2 * step + 1e-9);
    }
  }
}

TEST_CASE("Operating point: the lowest threshold that spares enough rows") {
  const std::vector<float> scores = {0.1F, 0.9F, 0.5F, 0.3F};
  const auto point = [&](double target) { return operating_point(scores, target).value(); };
  const auto above = [](float score) { return std::nextafter(score, 2.0F); };
  CHECK(point(0).threshold == above(0.9F));
  CHECK(point(0).false_alarm_rate == 0);
  CHECK(point(0.2499).threshold == above(0.9F));
  CHECK(point(0.25).threshold == above(0.5F));
  CHECK(point(0.25).false_alarm_rate == 0.25);
  CHECK(point(0.99).threshold == above(0.1F));
  CHECK(point(1).threshold == 0);
  CHECK(point(1).false_alarm_rate == 1);
  CHECK(point(0.25).n == 4);
  CHECK_FALSE(operating_point({}, 0.5));
}

TEST_CASE("Operating point: rows that tie are flagged together or not at all") {
  const std::vector<float> scores = {1, 1, 1, 0.5F, 0.5F, 0, 0, 0, 0, 0};
  const auto point = [&](double target) { return operating_point(scores, target).value(); };
  CHECK(point(0.29).threshold > 1);
  CHECK(point(0.29).false_alarm_rate == 0);
  CHECK(point(0.3).threshold == std::nextafter(0.5F, 1.0F));
  CHECK(point(0.49).false_alarm_rate == 0.3);
  CHECK(point(0.5).threshold > 0);
  CHECK(point(0.5).false_alarm_rate == 0.5);
  CHECK(point(0.999).false_alarm_rate == 0.5);
}

TEST_CASE("Operating point: no lower threshold keeps the target") {
  constexpr std::uint64_t kSeed = 417;
  CAPTURE(kSeed);
  std::mt19937_64 random(kSeed);
  for (int i = 0; i < q3g_test::iterations(200); ++i) {
    std::vector<float> scores(1 + random() % 120);
    for (float& score : scores) score = static_cast<float>(random() % (i % 2 == 0 ? 9 : 100000)) / 100000.0F;
    const double target = static_cast<double>(random() % 101) / 100;
    const auto rate = [&](float threshold) {
      const auto n = std::count_if(scores.begin(), scores.end(), [&](float s) { return s >= threshold; });
      return static_cast<double>(n) / static_cast<double>(scores.size());
    };
    const OperatingPoint point = operating_point(scores, target).value();
    CAPTURE(target, point.threshold);
    CHECK(point.false_alarm_rate == rate(point.threshold));
    CHECK(point.false_alarm_rate <= target);
    if (point.threshold > 0) CHECK(rate(std::nextafter(point.threshold, -1.0F)) > target);
  }
}
