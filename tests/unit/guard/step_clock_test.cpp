// SPDX-License-Identifier: Apache-2.0
#include "guard/batch/step_clock.hpp"

#include <algorithm>

#include "guard/batch/step_planner.hpp"
#include "q3g_catch.hpp"

using qwen3guard::detail::StepClock;
using qwen3guard::detail::StepPlanner;

TEST_CASE("step clock: nothing is known at first, and everything fits", "[batch]") {
  const StepClock clock;
  CHECK(clock.expect(1) == 0);
  CHECK(clock.fit(256, 1) == 256);
}

TEST_CASE("step clock: what is not known scales from what is", "[batch]") {
  StepClock clock;
  clock.note(8, 2.0);
  CHECK(clock.expect(8) == Approx(2.0));
  CHECK(clock.expect(5) == Approx(2.0));
  CHECK(clock.expect(16) == Approx(4.0));
  CHECK(clock.expect(256) == Approx(64.0));
  CHECK(clock.expect(1) == Approx(2.0));  // not less than what was seen of more
  CHECK(clock.fit(256, 17.0) == 64);
  CHECK(clock.fit(256, 1.0) == 0);
  CHECK(clock.fit(6, 2.5) == 6);
}

TEST_CASE("step clock: a busy machine makes it careful, one bad moment does not", "[batch]") {
  StepClock steady, busy;
  for (int i = 0; i < 100; ++i) {
    steady.note(4, i == 97 ? 50.0 : 1.0);
    busy.note(4, i % 2 == 0 ? 0.5 : 1.5);
  }
  CHECK(steady.expect(4) == Approx(1.0));
  CHECK(busy.expect(4) == Approx(1.5));
  for (int i = 0; i < 4; ++i) busy.note(4, 0.2);
  CHECK(busy.expect(4) == Approx(0.2));
  StepClock slow_at_first;
  slow_at_first.note(8, 13);
  slow_at_first.note(8, 1);
  CHECK(slow_at_first.expect(8) == Approx(1.0));
}

TEST_CASE("step clock: newer experience of one size corrects that of others", "[batch]") {
  StepClock clock;
  clock.note(8, 13);
  clock.note(1, 1);
  CHECK(clock.expect(1) == Approx(1));
  CHECK(clock.expect(8) == Approx(8));  // no more than in proportion
  clock.note(16, 2);
  CHECK(clock.expect(8) == Approx(2));  // no more than more rows
  clock.note(4, 20);
  CHECK(clock.expect(16) == Approx(20));  // no less than fewer rows
  CHECK(clock.expect(1) == Approx(5));    // no less than in proportion
}

TEST_CASE("step clock: the least forward is short, and not in vain", "[batch]") {
  CHECK(StepClock().least(256) == StepClock::kFirstRows);
  CHECK(StepClock().least(3) == 3);
  // Up to so many rows cost little more than one, because weights are read once for all of them.
  for (const std::size_t n_flat : {std::size_t{1}, std::size_t{4}, std::size_t{16}, std::size_t{64}}) {
    CAPTURE(n_flat);
    const auto cost_ms = [&](std::size_t n) {
      return 10.0 * std::max(1.0, static_cast<double>(n) / static_cast<double>(n_flat));
    };
    StepClock clock;
    std::size_t n = 0;
    for (int i = 0; i < 12; ++i) {
      n = clock.least(256);
      REQUIRE(n <= std::max(StepClock::kFirstRows, 2 * n_flat));  // it feels its way
      clock.note(n, cost_ms(n));
    }
    CHECK(n == n_flat);
    CHECK(clock.least(3) <= 3);
  }
}

TEST_CASE("step planner: a budget that is too small for anything is saved up", "[batch]") {
  StepPlanner planner;
  StepPlanner::State state{256, 12, true, false, false, 0};
  REQUIRE(planner.n_rows(state) == StepClock::kFirstRows);
  planner.end(StepClock::kFirstRows, 0, 13);
  for (int round = 0; round < 3; ++round) {
    int n_refused = 0;
    for (; planner.n_rows(state) == 0; ++n_refused) REQUIRE(n_refused < 100);
    CHECK(n_refused == 8);  // 9 * 12 is more than 8 * 13
    planner.end(1, 0, 13);
  }
  // No budget is none, however often it is given.
  state.left_ms = 0;
  for (int i = 0; i < 2000; ++i) REQUIRE(planner.n_rows(state) == 0);
  state.must_run = true;
  CHECK(planner.n_rows(state) > 0);
  state.is_first = false;
  CHECK(planner.n_rows(state) == 0);
}

TEST_CASE("step planner: what is overdue runs, and leaves the host half of its time", "[batch]") {
  StepPlanner planner;
  double now_ms = 0, busy_ms = 0, longest_ms = 0;
  for (int i = 0; i < 5000; ++i) {
    now_ms += 16;
    if (const std::size_t n = planner.n_rows({256, 0, true, false, true, now_ms}); n > 0) {
      const double took_ms = i % 100 == 0 ? 700 : 40;
      planner.end(n, now_ms, now_ms + took_ms);
      now_ms += took_ms;
      busy_ms += took_ms;
      longest_ms = 0;
    } else {
      longest_ms += 16;
      REQUIRE(longest_ms <= 700);
    }
  }
  CHECK(busy_ms <= now_ms / 2);
  CHECK(busy_ms >= now_ms / 4);
  // The rest after one that took for ever does not.
  planner.end(1, now_ms, now_ms + 1e7);
  now_ms += 1e7;
  static_cast<void>(planner.n_rows({256, 0, true, false, true, now_ms}));
  planner.end(1, now_ms, now_ms + 1e7);
  CHECK(planner.n_rows({256, 0, true, false, true, now_ms + 1e7 + StepPlanner::kMaxRest_ms}) > 0);
}
