// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/folds.hpp"

#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "q3g_catch.hpp"
#include "random_examples.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;

TEST_CASE("Folds: each has its share of every label, and rows of a group are together") {
  const std::uint64_t seed = 99;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  std::vector<std::string> names;
  for (int i = 0; i < 40; ++i) names.push_back("group " + std::to_string(i));
  std::vector<FoldRow> rows;
  for (int i = 0; i < 1000; ++i) {
    const std::int32_t kind = q3g_test::random_below(random, 10);
    const Severity label = kind < 6 ? Severity::safe : kind < 9 ? Severity::unsafe : Severity::controversial;
    std::string_view group;
    if (i % 10 == 0) group = names[static_cast<std::size_t>(q3g_test::random_below(random, 40))];
    rows.push_back({group, label, label != Severity::safe});
  }
  const auto folds = make_folds(rows, 5, seed);
  REQUIRE(folds.size() == rows.size());
  std::map<std::string, std::int32_t> of_group;
  std::map<std::pair<std::int32_t, Severity>, int> n;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    CHECK((folds[i] >= 0 && folds[i] < 5));
    ++n[{folds[i], rows[i].label}];
    if (!rows[i].group.empty())
      CHECK(of_group.emplace(std::string(rows[i].group), folds[i]).first->second == folds[i]);
  }
  for (std::int32_t fold = 0; fold < 5; ++fold) {
    CHECK(n[{fold, Severity::safe}] > 100);
    CHECK(n[{fold, Severity::unsafe}] > 45);
    CHECK(n[{fold, Severity::controversial}] > 10);
  }
  CHECK(make_folds(rows, 5, seed) == folds);
  CHECK(make_folds(rows, 5, seed + 1) != folds);
}

TEST_CASE("Folds: fewer where a class has fewer groups, and none where it has one") {
  const FoldRow safe{"", Severity::safe, false}, unsafe{"", Severity::unsafe, true};
  CHECK(make_folds(std::vector{safe, safe, safe, unsafe}, 5, 1).empty());
  CHECK(make_folds({}, 5, 1).empty());
  const FoldRow same{"same", Severity::unsafe, true};
  CHECK(make_folds(std::vector{safe, safe, safe, same, same, same}, 5, 1).empty());
  const auto folds = make_folds(std::vector{safe, safe, safe, safe, unsafe, unsafe}, 5, 1);
  REQUIRE(folds.size() == 6);
  CHECK(folds[4] != folds[5]);
  for (const std::int32_t fold : folds) CHECK((fold == 0 || fold == 1));
}
