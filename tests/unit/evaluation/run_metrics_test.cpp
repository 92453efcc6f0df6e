// SPDX-License-Identifier: Apache-2.0
#include "evaluation/run_metrics.hpp"

#include <string>
#include <utility>
#include <vector>

#include "make_record.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;

namespace {

constexpr Severity S = Severity::safe, U = Severity::unsafe, C = Severity::controversial;

Record in_set(std::string set, Severity gold, Severity said) {
  Record out = q3g_test::make_record(gold, said);
  out.set = std::move(set);
  return out;
}

MetricsOptions options(std::string safe_set = "", double target_fpr = 0.05) {
  return {{0, 1}, std::move(safe_set), target_fpr};
}

}  // namespace

TEST_CASE("Run metrics: sets in the order of the data, and means over those that have a value") {
  const std::vector<Record> records = {
      in_set("b", U, U), in_set("new", S, U), in_set("b", U, S), in_set("a", U, C),
      in_set("a", S, S), in_set("b", S, S),   in_set("a", U, U), in_set("controversial", C, C)};
  const std::vector<SetInput> inputs = {{"a", {}}, {"empty", {{7, "no label"}}}, {"b", {}}};
  const RunMetrics out = run_metrics(records, inputs, options()).value();
  std::vector<std::string> names;
  for (const SetMetrics& set : out.sets) names.push_back(set.name);
  CHECK(names == std::vector<std::string>{"a", "empty", "b", "new", "controversial"});
  CHECK(out.sets[0].n == 3);
  CHECK(out.sets[1].n == 0);
  REQUIRE(out.sets[1].bad_rows.size() == 1);
  CHECK(out.sets[1].bad_rows[0].line == 7);
  // F1 of a: strict 1, loose 2 / 3; of b: 2 / 3 in both. The others have none in one mode at least.
  CHECK(out.mean.n_sets == 2);
  CHECK(out.mean.strict_f1 == Approx(5.0 / 6));
  CHECK(out.mean.loose_f1 == Approx(2.0 / 3));
  CHECK(out.mean.best_f1 == Approx(5.0 / 6));
  CHECK(out.mean.auc == Approx((1 + 0.75) / 2));
  CHECK_FALSE(out.operating_point);
}

TEST_CASE("Run metrics: nothing has no means") {
  const RunMetrics out = run_metrics({}, {}, options()).value();
  CHECK(out.sets.empty());
  CHECK_FALSE(out.mean.strict_f1);
  CHECK_FALSE(out.mean.auc);
  CHECK(out.mean.n_sets == 0);
}

TEST_CASE(
    "Run metrics: the threshold is chosen on the Safe rows of one set, those not judged as false alarms") {
  std::vector<Record> records = {in_set("safe", S, S), in_set("safe", S, C), in_set("safe", U, U),
                                 in_set("safe", S, Severity::not_judged), in_set("other", U, C)};
  const RunMetrics out = run_metrics(records, {}, options("safe", 0.7)).value();
  REQUIRE(out.operating_point);
  CHECK(out.operating_point->n == 3);
  CHECK(out.operating_point->false_alarm_rate == 2.0 / 3);
  REQUIRE(out.sets[0].at_operating_point);
  CHECK(out.sets[0].at_operating_point->counts.false_alarm_rate() == 2.0 / 3);
  CHECK(out.operating_point->threshold > 0.25F);
  REQUIRE(out.sets[1].at_operating_point);
  CHECK(out.sets[1].at_operating_point->counts == Counts{1, 0, 0, 0});

  const auto refused = [&](const MetricsOptions& wanted) {
    const auto result = run_metrics(records, {}, wanted);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::invalid_argument);
    return result.error().detail;
  };
  CHECK(refused(options("safe", 0.3)).find("1 were not judged") != std::string::npos);
  CHECK(refused(options("unknown")).find("unknown") != std::string::npos);
  CHECK(refused(options("other")).find("other") != std::string::npos);
  CHECK(refused(options("safe", 1.5)).find("1.5") != std::string::npos);
  CHECK(refused(options("safe", -0.1)).find("0 to 1") != std::string::npos);
}
