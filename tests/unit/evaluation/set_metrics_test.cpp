// SPDX-License-Identifier: Apache-2.0
#include "evaluation/set_metrics.hpp"

#include <vector>

#include "make_record.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;
using q3g_test::listed_record;
using q3g_test::make_record;
using q3g_test::pointers_to;

namespace {

constexpr Severity S = Severity::safe, U = Severity::unsafe, C = Severity::controversial,
                   N = Severity::not_judged;

SetMetrics metrics_of(const std::vector<Record>& records, std::optional<float> threshold = {}) {
  return set_metrics(pointers_to(records), {200, 1}, threshold);
}

}  // namespace

TEST_CASE("Set metrics: a Controversial label by mode, and as the published scripts count it") {
  // Each pair of gold label and verdict once.
  std::vector<Record> records;
  for (const Severity gold : {S, C, U}) {
    for (const Severity said : {S, C, U}) records.push_back(make_record(gold, said));
  }
  const SetMetrics out = metrics_of(records);
  CHECK(out.scores.strict.counts == Counts{4, 2, 2, 1});
  CHECK(out.scores.loose.counts == Counts{1, 2, 2, 4});
  CHECK(out.published.strict.counts == Counts{2, 4, 1, 2});  // recall of Unsafe, whatever else is flagged
  CHECK(out.published.loose.counts == Counts{1, 2, 2, 4});
  REQUIRE(out.best);
  CHECK(out.best->mode == Mode::strict);
  CHECK(out.best->f1 == out.scores.strict.counts.f1());
  CHECK(out.gold == std::array<std::int64_t, 4>{0, 3, 3, 3});
  CHECK(out.predicted == out.gold);
  CHECK(out.auc == 0.5);
  REQUIRE(out.scores.strict.f1_interval);
  CHECK(out.scores.strict.f1_interval->low < out.best->f1);
  CHECK(out.scores.strict.f1_interval->high > out.best->f1);
}

TEST_CASE("Set metrics: what was not judged counts against the model and has no part in what ranks") {
  const std::vector<Record> records = {make_record(U, U), make_record(S, S), make_record(U, N),
                                       make_record(S, N), listed_record(S),  listed_record(U)};
  const SetMetrics out = metrics_of(records, 0.5F);
  CHECK(out.n == 6);
  CHECK(out.n_not_judged == 2);
  CHECK(out.n_by_list == 2);
  CHECK(out.predicted == std::array<std::int64_t, 4>{2, 1, 0, 3});
  CHECK(out.scores.strict.counts == Counts{2, 2, 1, 1});
  CHECK(out.scores.loose.counts == out.scores.strict.counts);
  REQUIRE(out.at_operating_point);
  CHECK(out.at_operating_point->counts == out.scores.strict.counts);
  REQUIRE(out.reliability);
  CHECK(out.reliability->n == 2);
  CHECK(out.auc == 1.0);
}

TEST_CASE("Set metrics: of one class, or without labels, what cannot be said is not said") {
  const SetMetrics safe = metrics_of({make_record(S, S), make_record(S, U)});
  CHECK_FALSE(safe.best);
  CHECK_FALSE(safe.scores.strict.f1_interval);
  CHECK_FALSE(safe.auc);
  CHECK_FALSE(safe.auc_interval);
  CHECK(safe.curve.empty());
  CHECK(safe.reliability);
  CHECK(safe.scores.strict.counts.false_alarm_rate() == 0.5);
  const SetMetrics controversial = metrics_of({make_record(C, U), make_record(C, S)});
  REQUIRE(controversial.best);  // nothing is positive in loose mode
  CHECK(controversial.best->mode == Mode::strict);
  CHECK_FALSE(controversial.scores.loose.counts.f1());
  const SetMetrics unlabelled = metrics_of({make_record({}, U)});
  CHECK(unlabelled.n == 1);
  CHECK(unlabelled.n_labelled == 0);
  CHECK(unlabelled.scores.strict.counts == Counts{});
  CHECK_FALSE(unlabelled.reliability);
  const SetMetrics empty = metrics_of({});
  CHECK(empty.n == 0);
  CHECK_FALSE(empty.best);
  CHECK_FALSE(empty.speed);
  CHECK_FALSE(empty.actions);
}

TEST_CASE("Set metrics: a threshold takes the place of the severity") {
  const std::vector<Record> records = {make_record(U, U), make_record(U, C), make_record(S, S),
                                       make_record(S, C)};
  CHECK(metrics_of(records, 0.8F).at_operating_point->counts == Counts{1, 0, 1, 2});
  CHECK(metrics_of(records, 0.75F).at_operating_point->counts == Counts{2, 1, 0, 1});  // score >= threshold
  CHECK(metrics_of(records, 0.0F).at_operating_point->counts == Counts{2, 2, 0, 0});
  CHECK_FALSE(metrics_of(records).at_operating_point);
}

TEST_CASE("Set metrics: actions are what the policy did, and no advice counts against it") {
  std::vector<Record> records = {make_record(U, U), make_record(U, C), make_record(S, U),
                                 make_record(S, S), make_record(U, N), make_record(S, N)};
  CHECK_FALSE(metrics_of(records).actions);
  records[0].prediction.action = Action::block;
  records[1].prediction.action = Action::flag;
  records[2].prediction.action = Action::flag;
  records[3].prediction.action = Action::allow;
  const auto actions = metrics_of(records).actions;
  REQUIRE(actions);
  CHECK(actions->block == Counts{1, 1, 2, 2});
  CHECK(actions->flag == Counts{2, 2, 1, 1});
}

TEST_CASE("Set metrics: languages and speed") {
  std::vector<Record> records = {make_record(U, C), make_record(S, S), make_record(U, U), make_record({}, U)};
  records[0].language = records[1].language = "en";
  records[3].language = "zh";
  for (Record& record : records) record.prediction.ms = 2, record.prediction.n_tokens = 10;
  const SetMetrics out = metrics_of(records);
  REQUIRE(out.languages.size() == 1);  // no label, no language
  CHECK(out.languages.at("en").n == 2);
  CHECK(out.languages.at("en").strict == Counts{1, 0, 0, 1});
  CHECK(out.languages.at("en").loose == Counts{0, 0, 1, 1});
  REQUIRE(out.speed);
  CHECK(out.speed->rows_per_s == 500);
  CHECK(out.speed->tokens_per_s == 5000);
  CHECK(out.speed->mean_ms_per_row == 2);
  records[1].prediction.ms = 0;  // of another program, which does not say
  CHECK(metrics_of(records).speed->tokens_per_s == 5000);
}
