// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/thresholds.hpp"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "evaluation/calibration/category_thresholds.hpp"
#include "evaluation/calibration/intervals.hpp"
#include "evaluation/significance.hpp"
#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "random_examples.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;
using q3g_test::random_below;

namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();

Goal at_most(double rate) {
  Goal goal;
  goal.target_fpr = rate;
  return goal;
}

Counts count_reached(const std::vector<ScoredRow>& rows, float threshold) {
  Counts out;
  for (const ScoredRow& row : rows) out.add(row.is_positive, row.score >= threshold);
  return out;
}

/// n rows each.
std::vector<ScoredRow> rows_of(std::initializer_list<std::tuple<int, float, bool>> parts) {
  std::vector<ScoredRow> out;
  for (const auto& [n, score, is_positive] : parts)
    out.insert(out.end(), std::size_t(n), {score, is_positive});
  return out;
}

}  // namespace

TEST_CASE("Goal: allowed alarms are the most that keep the share at or below the target") {
  CHECK(allowed_alarms(at_most(0.01), 0) == 0);
  CHECK(allowed_alarms(at_most(0.01), 99) == 0);
  CHECK(allowed_alarms(at_most(0.01), 299) == 2);
  CHECK(allowed_alarms(at_most(0.01), 300) == 3);
  CHECK(allowed_alarms(at_most(0.01), 399) == 3);
  CHECK(allowed_alarms(at_most(0.01), 400) == 4);
  CHECK(allowed_alarms(at_most(0.5), 7) == 3);
  CHECK(allowed_alarms({}, 7) == 7);
  for (std::int64_t n = 1; n < 3000; ++n) {
    for (const double target : {0.001, 0.01, 0.03, 0.1, 0.29, 0.7}) {
      const std::int64_t k = allowed_alarms(at_most(target), n);
      REQUIRE(static_cast<double>(k) / static_cast<double>(n) <= target);
      REQUIRE(static_cast<double>(k + 1) / static_cast<double>(n) > target);
    }
  }
  CHECK(keeps_to_goal(at_most(0.01), {0, 4, 0, 396}));
  CHECK_FALSE(keeps_to_goal(at_most(0.01), {0, 5, 0, 396}));
  CHECK(keeps_to_goal({}, {0, 5, 0, 0}));
}

TEST_CASE("Goal: no alarms where all safe rows cannot show the target, nor in a part of them") {
  const Goal few = goal_for(at_most(0.01), 299), enough = goal_for(at_most(0.01), 300);
  CHECK(few.no_alarms);
  CHECK(allowed_alarms(few, 299) == 0);
  CHECK(allowed_alarms(few, 240) == 0);
  CHECK_FALSE(keeps_to_goal(few, {0, 1, 0, 298}));
  CHECK_FALSE(enough.no_alarms);
  CHECK(allowed_alarms(enough, 300) == 3);
  CHECK(allowed_alarms(enough, 240) == 2);  // what cross-validation fits without a fold
  CHECK_FALSE(goal_for({}, 0).no_alarms);
}

TEST_CASE("Goal: F-beta weighs recall") {
  const Counts counts{6, 1, 2, 7};
  CHECK(f_beta(counts, 1).value() == Approx(12.0 / 15.0));
  CHECK(f_beta(counts, 2).value() == Approx(5 * 6.0 / (5 * 6.0 + 4 * 2 + 1)));
  CHECK_FALSE(f_beta(Counts{0, 3, 0, 4}, 1));
  CHECK(is_better({}, counts, Counts{5, 1, 3, 7}));
  CHECK_FALSE(is_better({}, counts, counts));
  const Counts few{50, 3, 50, 397}, more{60, 4, 40, 396}, many{70, 9, 30, 391};
  CHECK(is_better(at_most(0.01), more, few));
  CHECK_FALSE(is_better(at_most(0.01), many, few));
  CHECK(is_better(at_most(0.01), Counts{50, 2, 50, 398}, few));
}

TEST_CASE("Thresholds: the lowest score that keeps to the target") {
  // 400 safe rows: 4 may be blocked.
  const auto rows = rows_of({{10, 0.9F, true},
                             {2, 0.8F, false},
                             {5, 0.7F, true},
                             {2, 0.6F, false},
                             {5, 0.5F, true},
                             {1, 0.4F, false},
                             {9, 0.3F, true},
                             {395, 0.1F, false}});
  const auto choice = choose_threshold(at_most(0.01), rows).value();
  CHECK(choice.threshold == 0.5F);
  CHECK(choice.counts == Counts{20, 4, 9, 396});
  // F1 counts what else a lower threshold finds.
  const auto best = choose_threshold({}, rows).value();
  CHECK(best.threshold == 0.3F);
  CHECK(best.counts == Counts{29, 5, 0, 395});
}

TEST_CASE("Thresholds: tied rows stand or fall together") {
  const auto rows = rows_of({{7, 0.9F, true}, {5, 0.8F, false}, {20, 0.8F, true}, {395, 0.1F, false}});
  const auto choice = choose_threshold(at_most(0.01), rows).value();
  CHECK(choice.threshold == 0.9F);
  CHECK(choice.counts == Counts{7, 0, 20, 400});
  // Equal F1: the higher threshold.
  const auto equal = choose_threshold({}, rows_of({{1, 0.9F, true}, {2, 0.5F, false}, {1, 0.5F, true}}));
  CHECK(equal.value().threshold == 0.9F);
}

TEST_CASE("Thresholds: too few safe rows let none through, and all equal scores let nothing be blocked") {
  const auto few = rows_of({{3, 0.9F, true}, {1, 0.8F, false}, {3, 0.7F, true}, {20, 0.1F, false}});
  CHECK(choose_threshold(goal_for(at_most(0.05), 21), few).value().threshold == 0.9F);
  const auto equal = rows_of({{30, 0.5F, true}, {30, 0.5F, false}});
  const auto choice = choose_threshold(at_most(0.2), equal).value();
  CHECK(choice.threshold == std::nextafter(0.5F, 1.0F));
  CHECK(choice.counts == Counts{0, 0, 30, 30});
  // For F1 blocking everything is better than blocking nothing.
  CHECK(choose_threshold({}, equal).value().threshold == 0.5F);
}

TEST_CASE("Thresholds: none where a class is missing, or nothing keeps to the target") {
  CHECK_FALSE(choose_threshold({}, rows_of({{5, 0.5F, true}})));
  CHECK_FALSE(choose_threshold({}, rows_of({{5, 0.5F, false}})));
  CHECK_FALSE(choose_threshold({}, {}));
  CHECK_FALSE(choose_threshold(at_most(0.1), rows_of({{40, 1.0F, false}, {5, 1.0F, true}})));
  // A deny list's alarms cannot be taken back.
  CHECK_FALSE(
      choose_threshold(at_most(0.1), rows_of({{9, kInfinity, false}, {40, 0.1F, false}, {5, 0.9F, true}})));
  CHECK(choose_threshold(at_most(0.1), rows_of({{4, kInfinity, false}, {40, 0.1F, false}, {5, 0.9F, true}}))
            .value()
            .counts == Counts{5, 4, 0, 40});
  // What no threshold reaches is missed, and is no reason for none.
  CHECK(choose_threshold({}, rows_of({{9, -kInfinity, true}, {2, 0.9F, true}, {3, 0.2F, false}}))
            .value()
            .counts == Counts{2, 0, 9, 3});
}

TEST_CASE("Thresholds: as good as trying all of them") {
  const std::uint64_t seed = 4711;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < q3g_test::iterations(800); ++round) {
    std::vector<ScoredRow> rows;
    const std::int32_t n = 2 + random_below(random, 60), n_values = 1 + random_below(random, 40);
    for (std::int32_t i = 0; i < n; ++i)
      rows.push_back(
          {static_cast<float>(random_below(random, n_values)) / 40.0F, random_below(random, 3) == 0});
    rows[0].is_positive = true;
    rows[1].is_positive = false;
    Goal goal;
    goal.beta = 0.5 + round % 3;
    if (round % 2 == 0) goal = at_most(0.05 + 0.1 * random_below(random, 9));
    goal.no_alarms = round % 8 == 0;
    const auto choice = choose_threshold(goal, rows).value();
    REQUIRE(count_reached(rows, choice.threshold) == choice.counts);
    for (const ScoredRow& row : rows) {
      const Counts tried = count_reached(rows, row.score);
      if (goal.target_fpr) {
        const std::int64_t allowed = allowed_alarms(goal, tried.fp + tried.tn);
        REQUIRE(choice.counts.fp <= allowed);
        if (row.score < choice.threshold) REQUIRE(tried.fp > allowed);
      } else {
        const double value = f_beta(tried, goal.beta).value(),
                     best = f_beta(choice.counts, goal.beta).value();
        REQUIRE(value <= best);
        if (value == best) REQUIRE(row.score <= choice.threshold);
      }
    }
  }
}

TEST_CASE("Thresholds: categories spend alarms where they buy most, and never do worse than one for all") {
  // Violent is told apart well from 0.3 on, PII from 0.9 on; one threshold for both pays for one of them.
  std::vector<Reach> reaches;
  std::vector<bool> labels;
  const auto add = [&](int n, Category category, float score, bool is_positive) {
    for (int i = 0; i < n; ++i) {
      reaches.push_back({{{score, set_of(category), 0, nullptr}}});
      labels.push_back(is_positive);
    }
  };
  add(100, Category::violent, 0.35F, true);
  add(100, Category::violent, 0.2F, false);
  add(40, Category::pii, 0.95F, true);
  add(100, Category::pii, 0.6F, false);
  std::vector<ReachRow> rows;
  for (std::size_t i = 0; i < reaches.size(); ++i) rows.push_back({&reaches[i], labels[i]});
  CHECK(large_categories(count_categories(rows)) == (set_of(Category::violent) | set_of(Category::pii)));
  for (const Goal& goal : {at_most(0.02), Goal{}}) {
    const auto own = choose_thresholds(goal, rows, large_categories(count_categories(rows))).value();
    CHECK(own.counts == Counts{140, 0, 0, 200});
    CHECK(own.thresholds[static_cast<std::size_t>(Category::violent)] <= 0.35F);
    CHECK(own.thresholds[static_cast<std::size_t>(Category::pii)] > 0.6F);
    CHECK(count_blocked(rows, own.thresholds) == own.counts);
    CHECK(own.own != 0);
    CHECK(choose_thresholds(goal, rows, 0).value().own == 0);
    CHECK(is_better(goal, own.counts, choose_thresholds(goal, rows, 0).value().counts));
  }
  // Fewer than 30 of a kind: no threshold of its own.
  CHECK(large_categories(count_categories(std::span(rows).first(129))) == 0);
}

TEST_CASE("Intervals: Wilson's, and F-beta's by resampling") {
  const Interval none = wilson_interval(0, 100);
  CHECK(none.low == 0);
  CHECK(none.high == Approx(0.036994).epsilon(1e-4));
  const Interval some = wilson_interval(10, 100);
  CHECK(some.low == Approx(0.055229).epsilon(1e-4));
  CHECK(some.high == Approx(0.174366).epsilon(1e-4));
  CHECK(wilson_interval(100, 100).high == 1);
  CHECK(wilson_interval(0, 0).high == 1);
  const Counts counts{60, 10, 20, 110};
  const auto interval = f_beta_interval(counts, 1, {500, 3}).value();
  CHECK(interval.low < f_beta(counts, 1).value());
  CHECK(interval.high > f_beta(counts, 1).value());
  CHECK(interval.high - interval.low < 0.2);
  CHECK(f_beta_interval(counts, 1, {500, 3}).value().low == interval.low);
  CHECK_FALSE(f_beta_interval(Counts{0, 1, 0, 5}, 1, {500, 3}));
}
