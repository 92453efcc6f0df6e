// SPDX-License-Identifier: Apache-2.0
#include "guard/heads/head_verdict.hpp"

#include <cmath>
#include <limits>
#include <vector>

#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

TEST_CASE("heads: logits get their meaning from the label maps", "[heads]") {
  const HeadLabels labels = {{Severity::safe, Severity::unsafe, Severity::controversial},
                             {Category::violent, Category::sexual_content, Category::pii}};
  const std::vector<float> risk = {0.0F, std::log(6.0F), std::log(3.0F)};
  const std::vector<float> category = {std::log(1.0F), std::log(2.0F), std::log(5.0F)};
  const TokenVerdict verdict = read_heads(labels, risk, category, 17).value();
  CHECK(verdict.severity == Severity::unsafe);
  CHECK(verdict.probabilities.safe == Approx(0.1F));
  CHECK(verdict.probabilities.unsafe == Approx(0.6F));
  CHECK(verdict.probabilities.controversial == Approx(0.3F));
  CHECK(verdict.category == Category::pii);
  CHECK(verdict.category_probabilities[static_cast<std::size_t>(Category::pii)] == Approx(5.0F / 8));
  CHECK(verdict.category_probabilities[static_cast<std::size_t>(Category::jailbreak)] == 0.0F);
  CHECK(verdict.position == 17);
  CHECK(verdict.action == Action::none);  // which is the policy's
}

TEST_CASE("heads: a tie goes to the more severe, in whatever order the logits come", "[heads]") {
  using enum Severity;
  const std::vector<std::vector<Severity>> orders = {
      {safe, unsafe, controversial}, {unsafe, safe, controversial}, {controversial, safe, unsafe}};
  for (const auto& order : orders) {
    const HeadLabels labels = {order, {Category::violent}};
    const auto severity = [&](Severity low) {
      std::vector<float> risk(3, 0.5F);
      for (std::size_t i = 0; i < 3; ++i) risk[i] -= order[i] == low ? 1.0F : 0.0F;
      return read_heads(labels, risk, std::vector<float>{0}, 0).value().severity;
    };
    CHECK(severity(not_judged) == unsafe);  // all three tie
    CHECK(severity(safe) == unsafe);
    CHECK(severity(controversial) == unsafe);
    CHECK(severity(unsafe) == controversial);
  }
}

TEST_CASE("heads: large logits do not overflow", "[heads]") {
  const HeadLabels labels = {{Severity::safe, Severity::unsafe, Severity::controversial},
                             {Category::violent}};
  const std::vector<float> risk = {1e30F, -1e30F, 0.0F}, category = {1e30F};
  const TokenVerdict verdict = read_heads(labels, risk, category, 0).value();
  CHECK(verdict.probabilities.safe == 1.0F);
  CHECK(verdict.probabilities.unsafe == 0.0F);
}

TEST_CASE("heads: a logit that is not finite is an error, not a verdict", "[heads]") {
  const HeadLabels labels = {{Severity::safe, Severity::unsafe, Severity::controversial},
                             {Category::violent}};
  const std::vector<float> good = {0, 0, 0}, one = {0};
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    CHECK_FALSE(read_heads(labels, std::vector<float>{0, bad, 0}, one, 3).ok());
    CHECK_FALSE(read_heads(labels, good, std::vector<float>{bad}, 3).ok());
  }
}
