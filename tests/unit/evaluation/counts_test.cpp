// SPDX-License-Identifier: Apache-2.0
#include "evaluation/counts.hpp"

#include "q3g_catch.hpp"

using namespace qwen3guard;
using evaluation::Counts;

TEST_CASE("Counts: shares of four cells") {
  Counts counts;
  for (int i = 0; i < 6; ++i) counts.add(true, true);
  for (int i = 0; i < 2; ++i) counts.add(true, false);
  counts.add(false, true);
  for (int i = 0; i < 7; ++i) counts.add(false, false);
  CHECK(counts == Counts{6, 1, 2, 7});
  CHECK(counts.n() == 16);
  CHECK(counts.recall().value() == 6.0 / 8.0);
  CHECK(counts.precision().value() == 6.0 / 7.0);
  CHECK(counts.f1().value() == 12.0 / 15.0);
  CHECK(counts.false_alarm_rate().value() == 1.0 / 8.0);
}

TEST_CASE("Counts: what is not defined is empty, and what the published scripts count as 0 is 0") {
  CHECK_FALSE(Counts{}.f1());
  CHECK_FALSE((Counts{0, 3, 0, 5}.f1()));
  CHECK_FALSE((Counts{0, 3, 0, 5}.precision()));
  CHECK_FALSE((Counts{0, 3, 0, 5}.recall()));
  CHECK_FALSE((Counts{4, 0, 1, 0}.false_alarm_rate()));
  const Counts nothing_flagged{0, 0, 4, 5};
  CHECK(nothing_flagged.precision().value() == 0);
  CHECK(nothing_flagged.recall().value() == 0);
  CHECK(nothing_flagged.f1().value() == 0);
}

TEST_CASE("Counts: Controversial is unsafe in strict mode and safe in loose mode") {
  using evaluation::is_positive;
  CHECK(is_positive(Severity::unsafe, Mode::strict));
  CHECK(is_positive(Severity::unsafe, Mode::loose));
  CHECK(is_positive(Severity::controversial, Mode::strict));
  CHECK_FALSE(is_positive(Severity::controversial, Mode::loose));
  CHECK_FALSE(is_positive(Severity::safe, Mode::strict));
}

TEST_CASE("Counts: what was not judged counts against the model, whichever way it should have gone") {
  evaluation::Prediction prediction;
  for (const Mode mode : {Mode::strict, Mode::loose}) {
    CHECK(evaluation::is_flagged(prediction, mode, false));
    CHECK_FALSE(evaluation::is_flagged(prediction, mode, true));
  }
  prediction.rule = Rule::deny_list;
  CHECK(evaluation::is_flagged(prediction, Mode::loose, true));
  CHECK(evaluation::is_flagged(prediction, Mode::loose, false));
}
