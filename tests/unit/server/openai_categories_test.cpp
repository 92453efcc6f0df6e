// SPDX-License-Identifier: Apache-2.0
#include "server/doors/openai_categories.hpp"

#include <random>
#include <set>
#include <string>

#include "harmful_verdict.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

const OpenAiCategory& find(const std::array<OpenAiCategory, kOpenAiCategoryCount>& all,
                           std::string_view name) {
  for (const auto& one : all) {
    if (one.name == name) return one;
  }
  FAIL("no " << name);
  return all.front();
}

/// In [0, 1).
float unit(std::mt19937& random) { return 0.5F * (q3g_test::random_uniform(random) + 1); }

}  // namespace

TEST_CASE("OpenAI's categories: thirteen names, each once", "[server]") {
  std::set<std::string_view> names;
  for (const auto& one : to_openai(Verdict(), false)) {
    names.insert(one.name);
    CHECK_FALSE(one.is_found);
    CHECK(one.score == 1);  // nothing was judged, so nothing is denied
  }
  CHECK(names == std::set<std::string_view>{"harassment", "harassment/threatening", "hate",
                                            "hate/threatening", "illicit", "illicit/violent", "self-harm",
                                            "self-harm/instructions", "self-harm/intent", "sexual",
                                            "sexual/minors", "violence", "violence/graphic"});
}

TEST_CASE("OpenAI's categories: what is named is found, its parts with it, and scores bound the rest",
          "[server]") {
  const auto out = to_openai(harmful_verdict({0.2F, 0.2F, 0.6F}, {{Category::sexual_content, 0.75F}}), true);
  CHECK(find(out, "sexual").is_found);
  CHECK(find(out, "sexual/minors").is_found);
  CHECK(find(out, "sexual").score == Approx(0.6));
  CHECK_FALSE(find(out, "violence").is_found);
  CHECK(find(out, "violence").score == Approx(0.2));
  CHECK_FALSE(find(to_openai(harmful_verdict({0.2F, 0.2F, 0.6F}, {{Category::sexual_content, 0.75F}}), false),
                   "sexual")
                  .is_found);
}

TEST_CASE("OpenAI's categories: scores are probabilities, and a part never has more than the whole",
          "[server]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int i = 0; i < 1000; ++i) {
    const float safe = unit(random), controversial = (1 - safe) * unit(random);
    std::vector<CategoryScore> categories;
    for (int c = 0; c < kCategoryCount; ++c) {
      if (unit(random) < 0.3F) categories.push_back({static_cast<Category>(c), unit(random)});
    }
    const auto out =
        to_openai(harmful_verdict({safe, controversial, 1 - safe - controversial}, categories), true);
    for (const auto& one : out) {
      REQUIRE(one.score >= 0);
      REQUIRE(one.score <= 1);
      const std::size_t slash = one.name.find('/');
      if (slash == std::string_view::npos) continue;
      const auto& whole = find(out, one.name.substr(0, slash));
      REQUIRE(one.score <= whole.score);
      REQUIRE((!one.is_found || whole.is_found));
    }
  }
}
