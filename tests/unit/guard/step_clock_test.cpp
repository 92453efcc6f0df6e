// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/guard/step_clock.hpp"

#include "q3g_catch.hpp"

using qwen3guard::detail::StepClock;

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

TEST_CASE("step clock: a busy machine makes it careful", "[batch]") {
  StepClock steady, busy;
  for (int i = 0; i < 100; ++i) {
    steady.note(4, 1.0);
    busy.note(4, i % 2 == 0 ? 0.5 : 1.5);
  }
  CHECK(steady.expect(4) == Approx(1.0).margin(0.01));
  CHECK(busy.expect(4) > 1.9);
  for (int i = 0; i < 100; ++i) busy.note(4, 0.2);
  CHECK(busy.expect(4) < 0.3);
}
