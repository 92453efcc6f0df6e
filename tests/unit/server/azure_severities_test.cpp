// SPDX-License-Identifier: Apache-2.0
#include "server/doors/azure/azure_severities.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "random_data.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

constexpr AskedCategories kAll = {true, true, true, true};
constexpr Category kCovered[] = {Category::unethical_acts, Category::suicide_self_harm,
                                 Category::sexual_content, Category::violent};

Verdict verdict_of(Severity severity, Action action, SeverityProbabilities probabilities,
                   std::vector<CategoryScore> categories) {
  Verdict verdict;
  verdict.severity = severity;
  verdict.probabilities = probabilities;
  verdict.categories = std::move(categories);
  verdict.ruling.action = action;
  verdict.ruling.rule = Rule::severity;
  return verdict;
}

int highest(const AzureSeverities& severities) {
  return *std::max_element(severities.begin(), severities.end());
}

int highest(const AzureSeverities& severities, const AskedCategories& asked) {
  int out = 0;
  for (std::size_t i = 0; i < asked.size(); ++i) out = std::max(out, asked[i] ? severities[i] : 0);
  return out;
}

float unit(std::mt19937& random) { return 0.5F * (q3g_test::random_uniform(random) + 1); }

/// A verdict as a model may give it, under any policy.
Verdict random_verdict(std::mt19937& random) {
  const float a = unit(random), b = unit(random), c = unit(random);
  const SeverityProbabilities p = {a / (a + b + c), b / (a + b + c), c / (a + b + c)};
  const Severity severity = p.safe > std::max(p.controversial, p.unsafe) ? Severity::safe
                            : p.unsafe >= p.controversial                ? Severity::unsafe
                                                                         : Severity::controversial;
  std::vector<CategoryScore> categories;
  for (int i = 0; severity != Severity::safe && i < kCategoryCount; ++i) {
    if (unit(random) < 0.25F) categories.push_back({static_cast<Category>(i), unit(random)});
  }
  const Action actions[] = {Action::allow, Action::flag, Action::block};
  return verdict_of(severity, actions[random() % 3], p, categories);
}

}  // namespace

TEST_CASE("Azure's severities: names", "[server]") {
  for (const char* name : {"Hate", "SelfHarm", "Sexual", "Violence"}) {
    const auto category = parse_azure_category(name);
    REQUIRE(category);
    CHECK(std::string(to_string(*category)) == name);
  }
  for (const char* name : {"", "hate", "Hate ", "Self-Harm", "Jailbreak"})
    CHECK_FALSE(parse_azure_category(name));
}

TEST_CASE("Azure's severities: four levels are pairs of the eight", "[server]") {
  const int four[] = {0, 0, 2, 2, 4, 4, 6, 6};
  for (int eight = 0; eight < 8; ++eight) CHECK(to_four_levels(eight) == four[eight]);
}

TEST_CASE("Azure's severities: the action decides the pair, the probability the level in it", "[server]") {
  struct Row {
    Severity severity;
    Action action;
    int likely, unlikely;  // P(category) 0.9 and 0.3
  };
  for (const Row& row : std::initializer_list<Row>{{Severity::unsafe, Action::block, 7, 6},
                                                   {Severity::controversial, Action::block, 5, 4},
                                                   {Severity::unsafe, Action::flag, 3, 2},
                                                   {Severity::controversial, Action::flag, 3, 2},
                                                   {Severity::unsafe, Action::allow, 1, 0},
                                                   {Severity::controversial, Action::none, 5, 4}}) {
    const SeverityProbabilities p = {0.1F, 0.4F, 0.5F};
    for (std::size_t i = 0; i < kAzureCategoryCount; ++i) {
      AzureSeverities likely{}, unlikely{};
      likely[i] = row.likely;
      unlikely[i] = row.unlikely;
      CHECK(to_azure(verdict_of(row.severity, row.action, p, {{kCovered[i], 0.9F}}), kAll) == likely);
      // What the most probable name leaves is more than half for the others.
      const auto out = to_azure(verdict_of(row.severity, row.action, p, {{kCovered[i], 0.3F}}), kAll);
      for (std::size_t j = 0; j < out.size(); ++j) CHECK(out[j] == (i == j ? unlikely[j] : 1));
    }
  }
  const auto safe = [](float p) {
    return to_azure(verdict_of(Severity::safe, Action::allow, {1 - p, p / 2, p / 2}, {}), kAll);
  };
  CHECK(safe(0.1F) == AzureSeverities{0, 0, 0, 0});
  CHECK(safe(0.6F) == AzureSeverities{1, 1, 1, 1});
}

TEST_CASE("Azure's severities: what was not judged is the highest in all", "[server]") {
  const AzureSeverities all = {7, 7, 7, 7};
  CHECK(to_azure(Verdict(), kAll) == all);
  CHECK(to_azure(Verdict(), {false, true, false, false}) == all);
  Verdict denied;
  denied.ruling.action = Action::block;
  denied.ruling.rule = Rule::deny_list;
  CHECK(to_azure(denied, kAll) == all);
}

TEST_CASE("Azure's severities: harm without a name there is in every category that was asked for",
          "[server]") {
  const SeverityProbabilities p = {0.1F, 0.1F, 0.8F};
  const auto blocked = [&](std::vector<CategoryScore> categories, AskedCategories asked) {
    return to_azure(verdict_of(Severity::unsafe, Action::block, p, std::move(categories)), asked);
  };
  for (const Category category :
       {Category::non_violent_illegal_acts, Category::pii, Category::politically_sensitive,
        Category::copyright_violation, Category::jailbreak})
    CHECK(blocked({{category, 0.9F}}, kAll) == AzureSeverities{7, 7, 7, 7});
  CHECK(blocked({}, kAll) == AzureSeverities{7, 7, 7, 7});  // Unsafe, and no name at all
  // A name that is asked for says enough; one that is not says nothing to who asked.
  const std::vector<CategoryScore> both = {{Category::violent, 0.9F}, {Category::jailbreak, 0.9F}};
  CHECK(blocked(both, kAll) == AzureSeverities{0, 0, 0, 7});
  CHECK(highest(blocked(both, {true, false, true, false}), {true, false, true, false}) == 7);
  const std::vector<CategoryScore> violent = {{Category::violent, 0.9F}};
  CHECK(highest(blocked(violent, {true, true, true, false}), {true, true, true, false}) == 0);
}

TEST_CASE("Azure's severities: of windows the worst counts", "[server]") {
  const SeverityProbabilities p = {0.1F, 0.1F, 0.8F};
  Verdict whole = verdict_of(Severity::unsafe, Action::block, p, {{Category::sexual_content, 0.9F}});
  whole.windows = {
      verdict_of(Severity::unsafe, Action::allow, p, {{Category::sexual_content, 0.9F}}),
      verdict_of(Severity::controversial, Action::block, {0.1F, 0.8F, 0.1F}, {{Category::violent, 0.9F}})};
  CHECK(to_azure(whole, kAll) == AzureSeverities{0, 0, 7, 5});
  whole.windows.push_back(Verdict());
  CHECK(to_azure(whole, kAll) == AzureSeverities{7, 7, 7, 7});
}

TEST_CASE("Azure's severities: 4 is the policy's block and 2 its flag, for any verdict", "[server]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 5000; ++i) {
    const Verdict verdict = random_verdict(random);
    const AzureSeverities out = to_azure(verdict, kAll);
    for (const int severity : out) REQUIRE((severity >= 0 && severity <= 7));
    REQUIRE((highest(out) >= 4) == (verdict.ruling.action == Action::block));
    REQUIRE((highest(out) >= 2) == (verdict.ruling.action >= Action::flag));
    if (verdict.severity == Severity::unsafe)
      REQUIRE((highest(out) >= 6) == (verdict.ruling.action == Action::block));
  }
}

TEST_CASE("Azure's severities: worse is never lower", "[server]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 5000; ++i) {
    const Verdict verdict = random_verdict(random);
    AskedCategories asked{};
    for (bool& is_asked : asked) is_asked = unit(random) < 0.5F;
    const AzureSeverities before = to_azure(verdict, asked);

    Verdict stricter = verdict;
    stricter.ruling.action = Action::block;
    const AzureSeverities of_stricter = to_azure(stricter, asked);
    Verdict worse = verdict;
    worse.severity = Severity::unsafe;
    worse.probabilities = {0, 0, 1};
    const AzureSeverities of_worse = to_azure(worse, asked);
    for (std::size_t c = 0; c < before.size(); ++c) {
      REQUIRE(of_stricter[c] >= before[c]);
      REQUIRE(of_worse[c] >= before[c]);
    }
    // One more category: a text with a name may lose what stood for the lack of one, and then it has the
    // name.
    if (verdict.categories.empty()) continue;
    Verdict more = verdict;
    more.categories.push_back({Category::jailbreak, 0.9F});
    REQUIRE(highest(to_azure(more, asked), asked) >= highest(before, asked) - 1);
    REQUIRE(to_four_levels(highest(to_azure(more, asked), asked)) >= to_four_levels(highest(before, asked)));
  }
}
