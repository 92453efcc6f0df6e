// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/reach.hpp"

#include <cmath>
#include <limits>

#include "evaluation/calibration/fit_role.hpp"
#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/policy.hpp"
#include "random_examples.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;
using namespace q3g_test;

namespace {

bool decide_blocks(const PolicyRules& base, Role role, const RoleFit& fit, const Verdict& verdict) {
  PolicySpec spec;
  spec.rules = base;
  apply(fit, role, spec.rules);
  return decide(Policy::make(spec).value(), verdict).value().action == Action::block;
}

}  // namespace

TEST_CASE("Reach: blocks what decide() blocks, whatever the checkpoint, the policy and the thresholds") {
  const std::uint64_t seed = 20261127;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  int n_blocked = 0, n_passed = 0;
  for (int round = 0; round < iterations(4000); ++round) {
    const Checkpoint checkpoint = random_below(random, 2) == 0 ? Checkpoint::gen : Checkpoint::stream;
    const Role role = random_below(random, 2) == 0 ? Role::user : Role::assistant;
    PolicySpec base = random_base(random);
    RoleFit fit;
    fit.temperature.temperature = random_below(random, 2) == 0 ? 1.0F : 1.7F;
    fit.debounce = base.rules.debounce;
    const bool one_for_all = checkpoint == Checkpoint::stream && role == Role::assistant;
    float threshold = static_cast<float>(1 + random_below(random, 8)) / 8.0F;
    for (float& of_category : fit.block) {
      if (!one_for_all) threshold = static_cast<float>(1 + random_below(random, 8)) / 8.0F;
      of_category = threshold;
    }
    const Example row = random_example(random, checkpoint, role);
    PolicyRules rules = base.rules;
    apply(fit, role, rules);
    const Reach reach = reach_of(rules, role, steps_of(base.rules, role), row.verdict);
    const bool blocks = decide_blocks(base.rules, role, fit, row.verdict);
    INFO("round " << round);
    REQUIRE(is_blocked(reach, fit.block) == blocks);
    ++(blocks ? n_blocked : n_passed);

    const float score = uniform_score(reach);
    if (score >= 0) {
      REQUIRE(score <= 1);
      fit.block.fill(score);
      REQUIRE(decide_blocks(base.rules, role, fit, row.verdict));
    }
    const float above = score >= 0 ? std::nextafter(score, 2.0F) : 0.0F;
    if (above <= 1) {
      fit.block.fill(above);
      REQUIRE_FALSE(decide_blocks(base.rules, role, fit, row.verdict));
    }
  }
  CHECK(n_blocked > n_passed / 10);
  CHECK(n_passed > n_blocked / 10);
}

TEST_CASE("Reach: what a category leads to at most is taken from the base") {
  PolicyRules rules;
  rules.prompt.categories[0].unsafe = Action::allow;
  rules.prompt.categories[1].unsafe = Action::flag;
  rules.prompt.categories[2].flag_threshold = 0.5F;
  rules.prompt.categories[3].block_threshold = 0.5F;
  const Steps steps = steps_of(rules, Role::user);
  CHECK(steps[0] == Step::off);
  CHECK(steps[1] == Step::flag);
  CHECK(steps[2] == Step::flag);
  CHECK(steps[3] == Step::block);
  CHECK(steps[4] == Step::block);
  RoleFit fit;
  fit.block.fill(0.25F);
  apply(fit, Role::user, rules);
  CHECK(rules.prompt.categories[0].unsafe == Action::allow);
  CHECK_FALSE(rules.prompt.categories[0].block_threshold);
  CHECK(rules.prompt.categories[1].flag_threshold == 0.25F);
  CHECK_FALSE(rules.prompt.categories[1].block_threshold);
  CHECK(rules.prompt.categories[4].block_threshold == 0.25F);
  CHECK(steps_of(rules, Role::user) == steps);
}

TEST_CASE("Reach: a text is judged whole when every token that counts is") {
  Verdict verdict;
  CHECK_FALSE(is_judged_whole(verdict));
  verdict.severity = Severity::unsafe;
  CHECK(is_judged_whole(verdict));
  verdict.token_verdicts.resize(2);
  verdict.token_verdicts[0].source = VerdictSource::heads;
  verdict.token_verdicts[1].counts = false;
  CHECK(is_judged_whole(verdict));
  verdict.token_verdicts[1].counts = true;
  CHECK_FALSE(is_judged_whole(verdict));
  verdict.token_verdicts.clear();
  verdict.windows.resize(1);
  CHECK_FALSE(is_judged_whole(verdict));
}
