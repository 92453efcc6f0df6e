// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/calibrate.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "guard/policy/assess.hpp"
#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/policy.hpp"
#include "random_examples.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;
using namespace q3g_test;

namespace {

FitOptions at_most(double rate, std::uint64_t seed = 1) {
  FitOptions out;
  out.goal.target_fpr = rate;
  out.seed = seed;
  return out;
}

/// Safe rows that are blocked, and all: by decide() alone.
std::pair<std::int64_t, std::int64_t> count_alarms(const PolicySpec& spec, const std::vector<Example>& rows) {
  const Policy policy = Policy::make(spec).value();
  std::pair<std::int64_t, std::int64_t> out;
  for (const Example& row : rows) {
    if (is_positive(*row.gold.label, spec.rules.mode)) continue;
    ++out.second;
    out.first += decide(policy, row.verdict, row.text).value().action == Action::block ? 1 : 0;
  }
  return out;
}

/// Every score that a row of these has under the rules.
std::vector<float> all_scores(const PolicyRules& rules, Role role, const std::vector<Example>& rows) {
  std::vector<float> out;
  const auto add = [&](const Verdict& part) {
    out.push_back(detail::score_of(rules, role, part.probabilities));
    for (const TokenVerdict& token : part.token_verdicts)
      out.push_back(detail::score_of(rules, role, token.probabilities));
  };
  for (const Example& row : rows) {
    add(row.verdict);
    for (const Verdict& window : row.verdict.windows) add(window);
  }
  std::sort(out.begin(), out.end());
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

Example plain_row(Severity label, float score, std::vector<CategoryScore> categories = {}) {
  Example out;
  out.gold.label = label;
  out.verdict.probabilities = {1 - score, 0, score};
  out.verdict.severity = score > 0.5F ? Severity::unsafe : Severity::safe;
  if (out.verdict.severity == Severity::unsafe && categories.empty()) categories = {{Category::violent, 1}};
  out.verdict.categories = std::move(categories);
  return out;
}

void add_rows(std::vector<Example>& rows, int n, const Example& row) {
  rows.insert(rows.end(), static_cast<std::size_t>(n), row);
}

}  // namespace

TEST_CASE("Calibration: by decide(), alarms on its rows keep to the target, and no lower threshold does") {
  const std::uint64_t seed = 20261128;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  int n_checked = 0;
  for (int round = 0; round < iterations(48); ++round) {
    INFO("round " << round);
    const Checkpoint checkpoint = round % 2 == 0 ? Checkpoint::gen : Checkpoint::stream;
    const Role role = round % 4 < 2 ? Role::user : Role::assistant;
    const auto rows = random_examples(random, checkpoint, role, 60 + random_below(random, 300));
    const PolicySpec base = random_base(random);
    const double target = 0.02 + 0.03 * random_below(random, 6);
    const Calibration found = calibrate(base, rows, at_most(target)).value();
    const RoleCalibration& of_role = found.roles[role == Role::user ? 0 : 1];
    if (of_role.kept == KeptRules::no_threshold) continue;
    REQUIRE(of_role.kept == KeptRules::no);
    const auto [n_alarms, n_safe] = count_alarms(found.policy, rows);
    REQUIRE(n_alarms == of_role.after.block.fp);
    REQUIRE(n_safe == of_role.after.block.fp + of_role.after.block.tn);
    const std::int64_t n_allowed = allowed_alarms(goal_for(at_most(target).goal, n_safe), n_safe);
    REQUIRE(n_alarms <= n_allowed);
    REQUIRE(static_cast<double>(n_alarms) <= target * static_cast<double>(n_safe));
    REQUIRE(Policy::parse(Policy::make(found.policy).value().to_json()).value().spec() == found.policy);
    if (of_role.fit.own != 0 || of_role.fit.flag) continue;

    const auto scores = all_scores(found.policy.rules, role, rows);
    const float threshold = of_role.fit.block[0];
    for (const float lower : scores) {
      if (lower >= threshold || lower < threshold - 0.2F) continue;
      RoleFit tried = of_role.fit;
      tried.block.fill(lower);
      PolicySpec spec = base;
      apply(tried, role, spec.rules);
      // One that lets no more through blocks no more of anything.
      const auto outcome = count_alarms(spec, rows).first;
      if (outcome <= n_allowed) {
        const Policy a = Policy::make(spec).value(), b = Policy::make(found.policy).value();
        for (const Example& row : rows)
          REQUIRE((decide(a, row.verdict).value().action == Action::block) ==
                  (decide(b, row.verdict).value().action == Action::block));
      }
      ++n_checked;
    }
  }
  CHECK(n_checked > iterations(48));
}

TEST_CASE("Calibration: a known optimum") {
  std::vector<Example> rows;
  add_rows(rows, 100, plain_row(Severity::unsafe, 0.9F));
  add_rows(rows, 4, plain_row(Severity::safe, 0.8F));
  add_rows(rows, 50, plain_row(Severity::unsafe, 0.7F));
  add_rows(rows, 396, plain_row(Severity::safe, 0.6F));
  FitOptions options = at_most(0.01);
  const Calibration found = calibrate({}, rows, options).value();
  const RoleCalibration& user = found.roles[0];
  CHECK(user.kept == KeptRules::no);
  CHECK(user.before.block == Counts{150, 400, 0, 0});
  CHECK(user.after.block == Counts{150, 4, 0, 396});
  REQUIRE(user.cross_validated);
  CHECK(user.cross_validated->block.n() == 550);
  CHECK(found.roles[1].kept == KeptRules::no_rows);
  CHECK(found.policy.rules.response == PolicyRules().response);
  options.goal = {};
  CHECK(calibrate({}, rows, options).value().roles[0].after.block == Counts{150, 4, 0, 396});
}

TEST_CASE("Calibration: what cross-validation foretells is near what the policy does, with few rows, too") {
  // From 300 safe rows on some may be blocked; a fold's policy is fitted to 256 of these 320.
  const std::uint64_t seed = 320;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  const auto add = [&](std::vector<Example>& rows, int n, Severity label) {
    for (int i = 0; i < n; ++i) {
      const auto chance = [&] { return static_cast<float>(1 + random_below(random, 99998)) / 100000.0F; };
      const float score = label == Severity::safe ? chance() : std::max(chance(), chance());
      rows.push_back(plain_row(label, score, {{Category::violent, 1}}));
    }
  };
  Counts foretold;
  std::int64_t n_alarms = 0, n_others = 0;
  for (int round = 0; round < iterations(40); ++round) {
    std::vector<Example> rows, others;
    add(rows, 320, Severity::safe);
    add(rows, 160, Severity::unsafe);
    add(others, 2000, Severity::safe);
    const Calibration found = calibrate({}, rows, at_most(0.01)).value();
    CHECK(found.roles[0].after.block.fp <= 3);
    foretold += found.roles[0].cross_validated.value().block;
    const auto [alarms, n] = count_alarms(found.policy, others);
    n_alarms += alarms;
    n_others += n;
  }
  const double rate = static_cast<double>(n_alarms) / static_cast<double>(n_others);
  const double said = foretold.false_alarm_rate().value();
  INFO("foretold " << said << ", of other rows " << rate);
  CHECK(said > 0.6 * rate);
  CHECK(said < 1.6 * rate);
}

TEST_CASE("Calibration: a role without a class keeps its rules and says so") {
  std::vector<Example> rows;
  add_rows(rows, 9, plain_row(Severity::safe, 0.1F));
  CHECK(calibrate({}, rows, at_most(0.1)).value().roles[0].kept == KeptRules::no_unsafe);
  CHECK(calibrate({}, rows, at_most(0.1)).value().policy == PolicySpec());
  rows.clear();
  add_rows(rows, 9, plain_row(Severity::unsafe, 0.1F));
  CHECK(calibrate({}, rows, at_most(0.1)).value().roles[0].kept == KeptRules::no_safe);
  // All scores are 1: nothing can tell them apart, and no threshold is above them.
  add_rows(rows, 9, plain_row(Severity::safe, 1.0F));
  CHECK(calibrate({}, rows, at_most(0.1)).value().roles[0].kept == KeptRules::no_threshold);
  CHECK(calibrate({}, {}, at_most(0.1)).value().roles[0].kept == KeptRules::no_rows);
}

TEST_CASE("Calibration: tiny sets have thresholds and no cross-validation") {
  const std::vector<Example> rows = {plain_row(Severity::safe, 0.2F), plain_row(Severity::unsafe, 0.8F)};
  const RoleCalibration user = calibrate({}, rows, at_most(0.1)).value().roles[0];
  CHECK(user.kept == KeptRules::no);
  CHECK(user.after.block == Counts{1, 0, 0, 1});
  CHECK_FALSE(user.cross_validated);
  CHECK(user.fit.temperature.temperature == 1);
}

TEST_CASE("Calibration: what cannot be used is counted and left out") {
  std::vector<Example> rows = {plain_row(Severity::safe, 0.2F), plain_row(Severity::unsafe, 0.8F)};
  rows.push_back(rows[0]);
  rows.back().gold.label.reset();
  rows.push_back(rows[0]);
  rows.back().verdict = {};
  rows.push_back(rows[0]);
  rows.back().verdict.position = 7;  // a Stream checkpoint's, without its tokens
  rows.push_back(rows[1]);
  rows.back().gold.is_weak = true;
  const RoleCalibration user = calibrate({}, rows, at_most(0.1)).value().roles[0];
  CHECK(user.n_no_label == 1);
  CHECK(user.n_not_judged == 1);
  CHECK(user.n_not_ruled == 1);
  CHECK(user.n_weak == 1);
  CHECK(user.n_safe == 1);
  CHECK(user.n_unsafe == 2);
  CHECK(user.after.block.n() == 3);
}

TEST_CASE("Calibration: the base's lists are followed where texts are known") {
#if !defined(Q3G_WITHOUT_RE2)
  PolicySpec base;
  base.lists.deny = {"zorblax"};
  std::vector<Example> rows;
  // Of 60 safe rows six may be blocked. The list takes two, so that the five at 0.6 are too many.
  add_rows(rows, 55, plain_row(Severity::safe, 0.2F));
  add_rows(rows, 5, plain_row(Severity::safe, 0.6F));
  add_rows(rows, 10, plain_row(Severity::unsafe, 0.6F));
  add_rows(rows, 20, plain_row(Severity::unsafe, 0.8F));
  for (Example& row : rows) row.text = "a text";
  rows[0].text = rows[1].text = rows[60].text = "a Zorblax";
  const Calibration found = calibrate(base, rows, at_most(0.1)).value();
  CHECK(found.roles[0].n_denied == 3);
  CHECK(found.policy.lists.deny == base.lists.deny);
  CHECK(found.roles[0].after.block == Counts{21, 2, 9, 58});
  CHECK(count_alarms(found.policy, rows).first == 2);
  // Without texts there are no lists.
  for (Example& row : rows) row.text.clear();
  CHECK(calibrate(base, rows, at_most(0.1)).value().roles[0].after.block == Counts{30, 5, 0, 55});
#endif
}

TEST_CASE("Calibration: loose mode flags what is Controversial") {
  PolicySpec base;
  base.rules.mode = Mode::loose;
  std::vector<Example> rows;
  add_rows(rows, 400, plain_row(Severity::safe, 0.55F));
  add_rows(rows, 60, plain_row(Severity::controversial, 0.7F));
  add_rows(rows, 80, plain_row(Severity::unsafe, 0.9F));
  const Calibration found = calibrate(base, rows, at_most(0.01)).value();
  const RoleCalibration& user = found.roles[0];
  REQUIRE(user.fit.flag);
  CHECK(user.after.block == Counts{80, 0, 0, 460});
  CHECK(user.after.flag == Counts{140, 0, 0, 400});
  const CategoryRule& rule = found.policy.rules.prompt.categories[0];
  CHECK(rule.flag_threshold.value() < rule.block_threshold.value());
  // Too few of them to tell.
  rows.erase(rows.begin() + 410, rows.begin() + 460);
  CHECK_FALSE(calibrate(base, rows, at_most(0.01)).value().roles[0].fit.flag);
}

TEST_CASE("Calibration: a debounce that fits, where tokens are known") {
  // Safe answers have single tokens that look harmful, Unsafe ones have five in a row.
  std::mt19937_64 random(3);
  std::vector<Example> rows;
  for (int i = 0; i < 400; ++i) {
    Example row;
    row.role = row.verdict.role = Role::assistant;
    row.gold.label = i % 4 == 0 ? Severity::unsafe : Severity::safe;
    const std::int32_t begin = random_below(random, 10);
    for (std::int32_t t = 0; t < 20; ++t) {
      TokenVerdict token = random_token(random, -8, t);
      token.counts = true;
      const bool is_odd = i % 4 == 0 ? t >= begin && t < begin + 5 : t % 4 < 2;
      token.probabilities =
          is_odd ? SeverityProbabilities{0.1F, 0, 0.9F} : SeverityProbabilities{0.9F, 0, 0.1F};
      token.severity = is_odd ? Severity::unsafe : Severity::safe;
      row.verdict.token_verdicts.push_back(token);
    }
    row.verdict.severity = Severity::safe;
    row.verdict.position = 19;
    rows.push_back(row);
  }
  const Calibration found = calibrate({}, rows, at_most(0.01)).value();
  const RoleCalibration& assistant = found.roles[1];
  CHECK(assistant.before.block == Counts{100, 300, 0, 0});
  CHECK(found.policy.rules.debounce.consecutive_tokens == 3);
  CHECK(assistant.after.block == Counts{100, 0, 0, 300});
  CHECK(assistant.cross_validated.value().block == Counts{100, 0, 0, 300});
}

TEST_CASE("Calibration: cross-validation never sees what it tests, and the same seed gives the same") {
  const std::uint64_t seed = 5;
  INFO("seed " << seed);
  std::mt19937_64 random(seed);
  for (const Checkpoint checkpoint : {Checkpoint::gen, Checkpoint::stream}) {
    auto rows = random_examples(random, checkpoint, Role::assistant, 200);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i].group = std::to_string(i / 3);
    const Calibration found = calibrate({}, rows, at_most(0.1)).value();
    const RoleCalibration& role = found.roles[1];
    REQUIRE(role.folds.size() == rows.size());
    REQUIRE(role.by_fold.size() == 5);
    for (std::size_t i = 0; i < rows.size(); ++i) CHECK(role.folds[i] == role.folds[i / 3 * 3]);

    // Other verdicts in fold 2 change the fits of all folds but that.
    auto changed = rows;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      if (role.folds[i] != 2) continue;
      for (TokenVerdict& token : changed[i].verdict.token_verdicts)
        token.probabilities = {0.05F, 0.02F, 0.93F};
      changed[i].verdict.probabilities = {0.05F, 0.02F, 0.93F};
      changed[i].verdict.windows.clear();
      changed[i].verdict.window.reset();
    }
    const RoleCalibration other = calibrate({}, changed, at_most(0.1)).value().roles[1];
    REQUIRE(other.folds == role.folds);
    const auto& fit = role.by_fold[2].value();
    CHECK(fit.block == other.by_fold[2].value().block);
    CHECK(fit.temperature.temperature == other.by_fold[2].value().temperature.temperature);
    CHECK(fit.debounce == other.by_fold[2].value().debounce);
    CHECK(role.by_fold[0].value().block != other.by_fold[0].value().block);

    const Calibration again = calibrate({}, rows, at_most(0.1)).value();
    CHECK(again.policy == found.policy);
    CHECK(again.roles[1].folds == role.folds);
    CHECK(again.roles[1].cross_validated.value().block == role.cross_validated.value().block);
    CHECK(calibrate({}, rows, at_most(0.1, 2)).value().roles[1].folds != role.folds);
  }
}

TEST_CASE("Calibration: options out of range") {
  const std::vector<Example> rows = {plain_row(Severity::safe, 0.2F)};
  const auto message = [&](const FitOptions& options) {
    const auto found = calibrate({}, rows, options);
    return found.ok() ? "" : found.error().detail;
  };
  CHECK(message(at_most(0)) == "calibrate: target_fpr 0; expected more than 0 and less than 1");
  CHECK(message(at_most(1)) == "calibrate: target_fpr 1; expected more than 0 and less than 1");
  FitOptions options;
  options.goal.beta = 0;
  CHECK(message(options) == "calibrate: beta 0; expected more than 0");
  options = {};
  options.n_folds = 1;
  CHECK(message(options) == "calibrate: 1 folds; expected at least 2");
}
