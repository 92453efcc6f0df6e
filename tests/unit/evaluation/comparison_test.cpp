// SPDX-License-Identifier: Apache-2.0
#include "evaluation/comparison.hpp"

#include <random>
#include <string>
#include <utility>
#include <vector>

#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;

namespace {

constexpr auto kSafe = Severity::safe;
constexpr auto kControversial = Severity::controversial;
constexpr auto kUnsafe = Severity::unsafe;

/// A row of the set "s" whose id is its line.
Record row(std::size_t line, std::optional<Severity> label, Severity said) {
  Record record;
  record.set = "s";
  record.line = line;
  record.id = std::to_string(line);
  record.language = "en";
  record.gold.label = label;
  record.prediction.severity = said;
  record.prediction.action = said == kSafe ? Action::allow : Action::block;
  const float loose = said == kUnsafe ? 0.9F : said == kControversial ? 0.3F : 0.1F;
  record.prediction.scores = Scores{said == kSafe ? 0.2F : 0.95F, loose};
  record.prediction.ms = 2;
  return record;
}

struct Runs {
  std::vector<Record> a, b;

  /// Rows that A and B judge so.
  void add(int n, std::optional<Severity> label, Severity in_a, Severity in_b) {
    for (int i = 0; i < n; ++i) {
      const std::size_t line = a.size() + 1;
      a.push_back(row(line, label, in_a));
      b.push_back(row(line, label, in_b));
    }
  }
  [[nodiscard]] Comparison compared() const { return compare(pair_records(a, b).value()); }
};

/// 40 harmful rows of which B misses 12 and finds 3 that A does not, 40 safe ones, 2 without a label.
Runs worse_run() {
  Runs runs;
  runs.add(20, kUnsafe, kUnsafe, kUnsafe);
  runs.add(12, kUnsafe, kUnsafe, kSafe);
  runs.add(3, kUnsafe, kSafe, kControversial);
  runs.add(5, kUnsafe, kSafe, kSafe);
  runs.add(37, kSafe, kSafe, kSafe);
  runs.add(2, kSafe, kUnsafe, kSafe);
  runs.add(1, kSafe, kSafe, kUnsafe);
  runs.add(2, std::nullopt, kControversial, kUnsafe);
  return runs;
}

}  // namespace

TEST_CASE("Comparison: rows are paired by set and id, whatever their order") {
  Runs runs = worse_run();
  std::swap(runs.b.front(), runs.b.back());
  runs.a.push_back(row(1000, kSafe, kSafe));
  runs.b.push_back(row(1001, kSafe, kSafe));
  runs.b.push_back(row(1, kSafe, kSafe));
  runs.b.back().set = "other";
  const Pairing pairing = pair_records(runs.a, runs.b).value();
  CHECK(pairing.pairs.size() == 82);
  for (const RecordPair& pair : pairing.pairs) CHECK(pair.a->id == pair.b->id);
  REQUIRE(pairing.only_a.size() == 1);
  CHECK(pairing.only_a.front()->id == "1000");
  REQUIRE(pairing.only_b.size() == 2);
  CHECK(pairing.only_b.back()->set == "other");
  CHECK(pairing.different_gold.empty());
}

TEST_CASE("Comparison: a row that is there twice is an error that names both lines") {
  Runs runs = worse_run();
  runs.b.push_back(row(99, kSafe, kSafe));
  runs.b.back().id = "7";
  const auto pairing = pair_records(runs.a, runs.b);
  REQUIRE_FALSE(pairing.ok());
  CHECK(pairing.error().code == ErrorCode::invalid_argument);
  CHECK(pairing.error().detail == "run B: set \"s\" has the id 7 in lines 7 and 99; expected every row once");
}

TEST_CASE("Comparison: rows with other gold answers are set apart") {
  Runs runs = worse_run();
  runs.b[0].gold.label = kSafe;
  runs.b[1].gold.categories = {Category::violent};
  runs.b[2].gold.refusal = true;
  runs.b[3].role = Role::assistant;
  runs.a[4].gold.categories = {Category::violent, Category::pii};
  runs.b[4].gold.categories = {Category::pii, Category::violent};
  const Pairing pairing = pair_records(runs.a, runs.b).value();
  CHECK(pairing.different_gold.size() == 4);
  CHECK(pairing.pairs.size() == 78);
  CHECK(compare(pairing).all.n == 78);
}

TEST_CASE("Comparison: who is right, who finds harm, who raises alarms") {
  const Comparison comparison = worse_run().compared();
  const GroupComparison& all = comparison.all;
  CHECK(all.n == 82);
  CHECK(all.n_labelled == 80);
  CHECK(all.strict.found == PairedCounts{20, 12, 3, 5});
  CHECK(all.strict.false_alarms == PairedCounts{0, 2, 1, 37});
  CHECK(all.strict.right == PairedCounts{57, 13, 5, 5});
  CHECK(all.strict.counts_a == Counts{32, 2, 8, 38});
  CHECK(all.strict.counts_b == Counts{23, 1, 17, 39});
  CHECK(all.loose.found == PairedCounts{20, 12, 0, 8});  // Controversial is no finding there
  REQUIRE(all.strict.f1);
  CHECK(all.strict.f1->a == Approx(64.0 / 74));
  CHECK(all.strict.f1->b == Approx(46.0 / 64));
  REQUIRE(all.strict.f1->interval);
  CHECK(all.strict.f1->interval->low < all.strict.f1->b - all.strict.f1->a);
  CHECK(all.strict.f1->interval->high < 0);
  CHECK(all.strict.f1_bound == all.strict.f1->interval);
  CHECK(comparison.sets.at("s").strict.found == all.strict.found);
  CHECK(comparison.languages.at("en").n == 82);
}

TEST_CASE("Comparison: the table of severities, its agreement and kappa") {
  Runs runs;
  runs.add(20, kUnsafe, kUnsafe, kUnsafe);
  runs.add(5, kUnsafe, kUnsafe, kSafe);
  runs.add(10, kSafe, kSafe, kUnsafe);
  runs.add(15, kSafe, kSafe, kSafe);
  const GroupComparison all = runs.compared().all;
  CHECK(all.severities[3][3] == 20);
  CHECK(all.severities[3][1] == 5);
  CHECK(all.severities[1][3] == 10);
  CHECK(all.n_agreed() == 35);
  CHECK(all.n_milder() == 5);
  CHECK(all.n_harsher() == 10);
  CHECK(all.n_actions_changed() == 15);
  CHECK(all.kappa().value() == Approx(0.4));  // 0.7 agreed, 0.5 by chance: the example of many textbooks
  CHECK_FALSE(GroupComparison{}.kappa());
  Runs one_word;
  one_word.add(5, kSafe, kSafe, kSafe);
  CHECK_FALSE(one_word.compared().all.kappa());
}

TEST_CASE("Comparison: a run against itself differs in nothing, and still leaves room for a difference") {
  Runs runs;
  runs.add(40, kUnsafe, kUnsafe, kUnsafe);
  runs.add(10, kControversial, kSafe, kSafe);
  runs.add(50, kSafe, kSafe, kSafe);
  const Comparison comparison = runs.compared();
  const ModeComparison& strict = comparison.all.strict;
  CHECK(comparison.disagreements.empty());
  CHECK(comparison.all.kappa().value() == 1);
  CHECK(strict.right.n_discordant() == 0);
  CHECK(mcnemar_p(strict.right.only_a, strict.right.only_b) == 1);
  CHECK(strict.f1->a == strict.f1->b);
  CHECK(strict.f1->interval.value() == Interval{0, 0});
  CHECK(comparison.all.auc->interval.value() == Interval{0, 0});
  CHECK(comparison.all.scores.max_absolute_difference == 0);
  // 2.77 / 52 of the rows of either kind: recall from 40/50 to 37.3/50 with 2.7 false alarms, and back.
  CHECK(strict.f1_bound->low == Approx(-0.0592).margin(0.0005));
  CHECK(strict.f1_bound->high == Approx(0.0323).margin(0.0005));
}

TEST_CASE("Comparison: without harmful rows there is no F1, and false alarms are compared") {
  Runs runs;
  runs.add(30, kSafe, kSafe, kSafe);
  runs.add(4, kSafe, kSafe, kUnsafe);
  const ModeComparison strict = runs.compared().all.strict;
  CHECK_FALSE(strict.f1);
  CHECK_FALSE(strict.f1_bound);
  CHECK(strict.false_alarms == PairedCounts{0, 0, 4, 30});
}

TEST_CASE("Comparison: what was not judged counts against its run, and a deny list says Unsafe") {
  Runs runs;
  runs.add(10, kUnsafe, kUnsafe, Severity::not_judged);
  runs.add(10, kSafe, kSafe, Severity::not_judged);
  runs.add(1, kUnsafe, kSafe, Severity::not_judged);
  runs.b.back().prediction.rule = Rule::deny_list;
  runs.b.front().prediction.scores.reset();
  const Comparison comparison = runs.compared();
  CHECK(comparison.all.strict.found == PairedCounts{0, 10, 1, 0});
  CHECK(comparison.all.strict.false_alarms == PairedCounts{0, 0, 10, 0});
  CHECK(comparison.all.severities[3][0] == 10);
  CHECK(comparison.all.severities[1][3] == 1);
  CHECK(comparison.all.n_milder() == 0);
  CHECK(comparison.all.n_not_judged_a() == 0);
  CHECK(comparison.all.n_not_judged_b() == 20);
  CHECK(comparison.all.scores.n == 20);
  CHECK(comparison.disagreements.front().change == Change::harm_missed);
}

TEST_CASE("Comparison: the worst disagreements come first") {
  const Comparison comparison = worse_run().compared();
  std::vector<std::pair<Change, int>> order;
  for (const Disagreement& disagreement : comparison.disagreements) {
    if (order.empty() || order.back().first != disagreement.change)
      order.emplace_back(disagreement.change, 0);
    ++order.back().second;
  }
  CHECK(order == std::vector<std::pair<Change, int>>{{Change::harm_missed, 12},
                                                     {Change::false_alarm, 1},
                                                     {Change::harsher, 2},
                                                     {Change::harm_found, 3},
                                                     {Change::false_alarm_avoided, 2}});
}

TEST_CASE("Comparison: an action alone is a disagreement") {
  Runs runs;
  runs.add(2, kUnsafe, kUnsafe, kUnsafe);
  runs.b[0].prediction.action = Action::flag;
  runs.a[1].prediction.action = Action::flag;
  const Comparison comparison = runs.compared();
  REQUIRE(comparison.disagreements.size() == 2);
  CHECK(comparison.disagreements[0].change == Change::milder);
  CHECK(comparison.disagreements[0].pair.a->id == "1");
  CHECK(comparison.disagreements[1].change == Change::harsher);
  CHECK(comparison.all.actions[3][2] == 1);
}

TEST_CASE("Comparison: categories, refusals, scores and times") {
  Runs runs;
  runs.add(3, kUnsafe, kUnsafe, kUnsafe);
  runs.add(1, kUnsafe, kUnsafe, kSafe);
  for (auto* run : {&runs.a, &runs.b}) {
    for (Record& record : *run) {
      record.gold.categories = {Category::violent, Category::violent};
      record.gold.refusal = false;
      record.prediction.refusal = Refusal{false, 0.9F};
      if (record.prediction.severity != kSafe) record.prediction.categories = {{Category::violent, 0.9F}};
    }
  }
  runs.b[1].prediction.categories = {{Category::pii, 0.9F}};
  runs.b[2].prediction.refusal = Refusal{true, 0.9F};
  for (Record& record : runs.b) record.prediction.ms = 0.5;
  runs.b[0].prediction.ms = 0;  // not measured
  const GroupComparison all = runs.compared().all;
  REQUIRE(all.categories.size() == 1);
  CHECK(all.categories.at(Category::violent).found == PairedCounts{3, 1, 0, 0});
  CHECK(all.categories.at(Category::violent).named == PairedCounts{2, 1, 0, 0});
  CHECK(all.n_both_named == 3);
  CHECK(all.n_first_category_changed == 1);
  CHECK(all.refusals == PairedCounts{3, 1, 0, 0});
  CHECK(all.scores.n == 4);
  CHECK(all.scores.max_absolute_difference == Approx(0.8));
  CHECK(all.scores.mean_difference == Approx(-0.2));
  CHECK(all.scores.mean_absolute_difference == Approx(0.2));
  CHECK(all.scores.max_pair.a->id == "4");
  CHECK(all.speed.n == 3);
  CHECK(all.speed.ms_a == 6);
  CHECK(all.speed.ms_b == 1.5);
}

TEST_CASE("Comparison: swapping the runs turns every figure round") {
  Runs runs = worse_run();
  const GroupComparison there = runs.compared().all;
  std::swap(runs.a, runs.b);
  const GroupComparison back = runs.compared().all;
  CHECK(back.strict.found.only_a == there.strict.found.only_b);
  CHECK(back.n_milder() == there.n_harsher());
  CHECK(back.kappa().value() == Approx(there.kappa().value()));
  CHECK(back.strict.f1->interval->low == Approx(-there.strict.f1->interval->high).margin(0.005));
  CHECK(back.auc->a == there.auc->b);
  CHECK(back.auc->interval->high == Approx(-there.auc->interval->low).margin(0.005));
}
