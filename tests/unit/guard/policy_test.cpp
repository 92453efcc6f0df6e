// SPDX-License-Identifier: Apache-2.0
// What a policy makes of one verdict, and what it may say.
#include "qwen3guard/policy.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "guard/policy/assess.hpp"
#include "iterations.hpp"
#include "policies.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using detail::Assessment;
using test::rule_of;

namespace {

constexpr SeverityProbabilities kUnsafe = {0.125F, 0.125F, 0.75F}, kControversial = {0.25F, 0.5F, 0.25F},
                                kSafe = {0.875F, 0.125F, 0.0F};

SeverityProbabilities some_of(Severity severity) {
  return severity == Severity::unsafe          ? kUnsafe
         : severity == Severity::controversial ? kControversial
         : severity == Severity::safe          ? kSafe
                                               : SeverityProbabilities();
}

Assessment assess(const PolicyRules& rules, Severity severity, const std::vector<Category>& found,
                  Role role = Role::user) {
  return detail::assess(rules, role, severity, some_of(severity), found);
}

Verdict verdict_of(Severity severity, const std::vector<Category>& found) {
  Verdict verdict;
  verdict.severity = severity;
  verdict.probabilities = some_of(severity);
  for (const Category category : found) verdict.categories.push_back({category, 0.5F});
  return verdict;
}

const std::vector<Category> kViolent = {Category::violent};

}  // namespace

TEST_CASE("policy: the default is PolicySpec's", "[policy]") {
  const Policy policy;
  CHECK(policy.impl() == nullptr);
  CHECK(policy.spec() == PolicySpec());
  CHECK(policy.rules() == PolicyRules());
  CHECK(policy.name() == PolicySpec().name);
  CHECK(policy.version() == PolicySpec().version);
  const Policy made = Policy::make(PolicySpec()).value();
  for (const Severity severity :
       {Severity::not_judged, Severity::safe, Severity::controversial, Severity::unsafe}) {
    const Verdict verdict =
        verdict_of(severity, severity > Severity::safe ? kViolent : std::vector<Category>());
    CHECK(test::text_of(decide(policy, verdict).value()) == test::text_of(decide(made, verdict).value()));
  }
  // What was made is what it was made from, and copies share it.
  std::mt19937 random(5);
  for (int i = 0; i < 100; ++i) {
    const PolicySpec spec = test::random::spec(random);
    const Policy one = Policy::make(spec).value(), copy = one;
    CHECK(copy.spec() == spec);
    CHECK(copy.rules() == spec.rules);
    CHECK(copy.name() == spec.name);
    CHECK(copy.version() == spec.version);
    CHECK(copy.impl() == one.impl());
  }
}

TEST_CASE("policy: without thresholds the severity decides", "[policy]") {
  PolicyRules strict, loose;
  loose.mode = Mode::loose;
  const auto action = [](const PolicyRules& rules, Severity severity) {
    return assess(rules, severity, severity == Severity::safe ? std::vector<Category>() : kViolent).action;
  };
  for (const PolicyRules& rules : {strict, loose}) {
    // What was not judged is never allowed, whatever the probabilities beside it.
    CHECK(detail::assess(rules, Role::user, Severity::not_judged, {1, 0, 0}, {}).action == Action::none);
    CHECK(action(rules, Severity::safe) == Action::allow);
    CHECK(action(rules, Severity::unsafe) == Action::block);
  }
  CHECK(action(strict, Severity::controversial) == Action::block);
  CHECK(action(loose, Severity::controversial) == Action::flag);
  // One step milder than what Unsafe is.
  for (PolicyRules* rules : {&strict, &loose})
    test::each_category(*rules, [](CategoryRule& rule) { rule.unsafe = Action::flag; });
  CHECK(action(strict, Severity::controversial) == Action::flag);
  CHECK(action(loose, Severity::controversial) == Action::allow);
  CHECK(assess(loose, Severity::controversial, kViolent).rule == Rule::category_off);
  CHECK(action(loose, Severity::unsafe) == Action::flag);
  // Given, it is that in either mode.
  for (PolicyRules* rules : {&strict, &loose}) {
    test::each_category(*rules, [](CategoryRule& rule) {
      rule.unsafe = Action::block;
      rule.controversial = Action::allow;
    });
    CHECK(action(*rules, Severity::controversial) == Action::allow);
    CHECK(action(*rules, Severity::unsafe) == Action::block);
  }
}

TEST_CASE("policy: each rule says that it decided", "[policy]") {
  PolicyRules rules;
  rule_of(rules.prompt, Category::politically_sensitive).unsafe = Action::allow;
  rule_of(rules.prompt, Category::pii).flag_threshold = 0.8F;
  rule_of(rules.prompt, Category::pii).block_threshold = 0.875F;
  rule_of(rules.prompt, Category::copyright_violation).block_threshold = 0.9F;
  struct Case {
    Severity severity;
    Category category;
    Action action;
    Rule rule;
    float score;
  };
  using enum Severity;
  for (const Case& c : std::vector<Case>{
           {unsafe, Category::violent, Action::block, Rule::severity, 0},
           {unsafe, Category::politically_sensitive, Action::allow, Rule::category_off, 0},
           {controversial, Category::politically_sensitive, Action::allow, Rule::category_off, 0},
           {unsafe, Category::pii, Action::block, Rule::threshold, 0.875F},  // which reaches it
           {unsafe, Category::copyright_violation, Action::allow, Rule::below_threshold, 0.875F},
           {controversial, Category::pii, Action::allow, Rule::below_threshold, 0.75F},
       }) {
    CAPTURE(to_string(c.severity), to_string(c.category));
    const Assessment found = assess(rules, c.severity, {c.category});
    CHECK(found.action == c.action);
    CHECK(found.rule == c.rule);
    CHECK(found.category == c.category);
    CHECK(found.score == c.score);
    // The severity with which it is looked for among runs.
    CHECK(found.counted(c.severity) == (c.action == Action::allow   ? safe
                                        : c.rule == Rule::threshold ? unsafe
                                                                    : c.severity));
  }
  const Assessment harmless = assess(rules, safe, {});
  CHECK(harmless.rule == Rule::safe);
  CHECK_FALSE(harmless.category.has_value());
  CHECK(harmless.counted(safe) == safe);
  CHECK(assess(rules, not_judged, kViolent).rule == Rule::none);
  CHECK(Assessment().counted(not_judged) == not_judged);
  // A flag by threshold counts as Controversial, whatever was most probable.
  rules = {};
  rule_of(rules.prompt, Category::violent).flag_threshold = 0.0F;
  CHECK(assess(rules, unsafe, kViolent).counted(unsafe) == controversial);
  CHECK(assess(rules, safe, kViolent).counted(safe) == controversial);
  CHECK(assess(rules, safe, kViolent).category == Category::violent);
}

TEST_CASE("policy: thresholds act on the mode's score", "[policy]") {
  const SeverityProbabilities p = {0.25F, 0.5F, 0.25F};
  const auto action = [&](Mode mode, std::optional<float> flag, std::optional<float> block,
                          Severity severity) {
    PolicyRules rules;
    rules.mode = mode;
    test::each_category(rules, [&](CategoryRule& rule) {
      rule.flag_threshold = flag;
      rule.block_threshold = block;
    });
    const Assessment found = detail::assess(rules, Role::user, severity, p, kViolent);
    CHECK(found.score == (mode == Mode::strict ? 0.75F : 0.25F));
    return found.action;
  };
  CHECK(action(Mode::strict, 0.5F, 0.75F, Severity::safe) == Action::block);  // 0.75 reaches 0.75
  CHECK(action(Mode::strict, 0.5F, 0.8F, Severity::safe) == Action::flag);
  CHECK(action(Mode::loose, 0.5F, 0.8F, Severity::unsafe) == Action::allow);
  CHECK(action(Mode::loose, 0.25F, {}, Severity::unsafe) == Action::flag);
  CHECK(action(Mode::loose, {}, 0.25F, Severity::safe) == Action::block);
  CHECK(action(Mode::loose, {}, 0.0F, Severity::safe) == Action::block);
  CHECK(action(Mode::strict, {}, 1.0F, Severity::unsafe) == Action::allow);
  // A stored score that is no number is not below any threshold.
  PolicyRules rules;
  rule_of(rules.prompt, Category::violent).block_threshold = 1.0F;
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(detail::assess(rules, Role::user, Severity::safe, {nan, nan, nan}, kViolent).action == Action::block);
  rules.prompt.temperature = 2.0F;
  CHECK(detail::assess(rules, Role::user, Severity::safe, {0.5F, 0.5F, nan}, kViolent).action ==
        Action::block);
}

TEST_CASE("policy: of several categories the strictest action decides", "[policy]") {
  PolicyRules rules;
  const auto set = [&](Category category, Action action) { rule_of(rules.prompt, category).unsafe = action; };
  set(Category::violent, Action::flag);
  set(Category::pii, Action::allow);
  set(Category::unethical_acts, Action::flag);
  set(Category::politically_sensitive, Action::allow);
  using enum Category;
  const auto unsafe = [&](const std::vector<Category>& found) {
    return assess(rules, Severity::unsafe, found);
  };
  CHECK(unsafe({violent, jailbreak}).action == Action::block);
  CHECK(unsafe({violent, jailbreak}).category == jailbreak);
  CHECK(unsafe({pii, unethical_acts, violent}).category == unethical_acts);  // the first of equal ones
  CHECK(unsafe({pii, unethical_acts, violent}).action == Action::flag);
  const Assessment off = unsafe({politically_sensitive, pii});
  CHECK(off.action == Action::allow);
  CHECK(off.rule == Rule::category_off);
  CHECK(off.category == politically_sensitive);
  // In any order.
  std::vector<Category> found = {violent, pii, sexual_content};
  do {
    CHECK(unsafe(found).action == Action::block);
    CHECK(unsafe(found).category == sexual_content);
  } while (std::next_permutation(found.begin(), found.end()));
}

TEST_CASE("policy: what names no category, or an unknown one, is not let off", "[policy]") {
  PolicyRules rules;
  test::each_category(rules, [](CategoryRule& rule) { rule.unsafe = Action::allow; });
  const auto unknown = static_cast<Category>(99), negative = static_cast<Category>(-1);
  const std::vector<std::vector<Category>> cases = {
      {}, {unknown}, {negative}, {Category::pii, unknown}, {unknown, Category::pii}};
  for (const auto& found : cases) {
    CAPTURE(found.size());
    CHECK(assess(rules, Severity::unsafe, found).action == Action::allow);  // all are off
    rule_of(rules.prompt, Category::violent).unsafe = Action::block;
    const Assessment out = assess(rules, Severity::unsafe, found);
    CHECK(out.action == Action::block);
    CHECK(out.rule == Rule::severity);
    CHECK_FALSE(out.category.has_value());
    rule_of(rules.prompt, Category::violent).unsafe = Action::allow;
  }
  // The one that is known stays where it is the strictest.
  rule_of(rules.prompt, Category::pii).unsafe = Action::block;
  CHECK(assess(rules, Severity::unsafe, {unknown, Category::pii}).category == Category::pii);
  CHECK(assess(rules, Severity::safe, {unknown}).action == Action::allow);
  // Severities beyond those that there are.
  CHECK(assess(rules, static_cast<Severity>(9), {Category::pii}).action == Action::block);
  CHECK(assess(rules, static_cast<Severity>(-1), {}).action == Action::none);
}

TEST_CASE("policy: a Safe verdict that names no category gets the mildest threshold", "[policy]") {
  PolicyRules rules;
  test::each_category(rules, [](CategoryRule& rule) {
    rule.flag_threshold = 0.05F;
    rule.block_threshold = 0.1F;
  });
  const auto safe = [&](Role role) { return assess(rules, Severity::safe, {}, role); };  // its score is 0.125
  CHECK(safe(Role::user).action == Action::block);
  CHECK(safe(Role::user).rule == Rule::threshold);
  CHECK_FALSE(safe(Role::user).category.has_value());
  // Those that are off are not asked.
  rule_of(rules.prompt, Category::pii) = {Action::allow, {}, {}, {}};
  CHECK(safe(Role::user).action == Action::block);
  rule_of(rules.prompt, Category::pii) = {Action::block, {}, 0.05F, {}};
  CHECK(safe(Role::user).action == Action::flag);
  rule_of(rules.prompt, Category::pii) = {};
  CHECK(safe(Role::user).action == Action::allow);
  CHECK(safe(Role::user).rule == Rule::safe);
  CHECK(safe(Role::assistant).action == Action::block);
  // Jailbreak is for prompts only.
  rules.prompt = rules.response;
  rule_of(rules.prompt, Category::jailbreak) = {};
  rule_of(rules.response, Category::jailbreak) = {};
  CHECK(safe(Role::user).action == Action::allow);
  CHECK(safe(Role::assistant).action == Action::block);
  // All are off.
  test::each_category(rules, [](CategoryRule& rule) { rule = {Action::allow, {}, {}, {}}; });
  CHECK(safe(Role::user).action == Action::allow);
  CHECK(safe(Role::user).rule == Rule::safe);
  // Nor does Jailbreak's rule reach a response that is harmful and names nothing.
  rule_of(rules.response, Category::jailbreak).unsafe = Action::block;
  rule_of(rules.prompt, Category::jailbreak).unsafe = Action::block;
  CHECK(assess(rules, Severity::unsafe, {}, Role::assistant).action == Action::allow);
  CHECK(assess(rules, Severity::unsafe, {}, Role::user).action == Action::block);
}

TEST_CASE("policy: prompts and responses have rules of their own", "[policy]") {
  PolicyRules rules;
  rule_of(rules.response, Category::violent).unsafe = Action::flag;
  rules.response.temperature = 2.0F;
  for (const Role role : {Role::user, Role::system, Role::tool})
    CHECK(assess(rules, Severity::unsafe, kViolent, role).action == Action::block);
  CHECK(assess(rules, Severity::unsafe, kViolent, Role::assistant).action == Action::flag);
  CHECK(detail::score_of(rules, Role::user, kUnsafe) == 0.875F);
  CHECK(detail::score_of(rules, Role::assistant, kUnsafe) < 0.8F);
}

namespace {

/// All three, calibrated: the loose score is that of Unsafe.
std::array<float, 3> calibrated(const std::array<float, 3>& p, float temperature) {
  PolicyRules rules;
  rules.mode = Mode::loose;
  rules.prompt.temperature = temperature;
  std::array<float, 3> out{};
  for (std::size_t i = 0; i < 3; ++i)
    out[i] = detail::score_of(rules, Role::user, {p[(i + 1) % 3], p[(i + 2) % 3], p[i]});
  return out;
}

}  // namespace

TEST_CASE("policy: a temperature spreads or sharpens, and keeps the order", "[policy]") {
  const std::uint32_t seed = 1706;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(2000); ++n) {
    std::array<float, 3> p{};
    float sum = 0;
    for (float& value : p) {
      value = std::exp(q3g_test::random_normal(random, 6.0F));
      if (random() % 8 == 0) value = 0;
      sum += value;
    }
    if (sum == 0.0F) continue;
    for (float& value : p) value /= sum;
    CHECK(calibrated(p, 1.0F) == p);  // exactly
    std::array<float, 3> sharper{};
    const auto most = static_cast<std::size_t>(std::max_element(p.begin(), p.end()) - p.begin());
    bool is_first = true;
    for (const float temperature : {1e-30F, 0.05F, 0.5F, 0.9F, 1.0F, 1.5F, 4.0F, 1e30F}) {
      CAPTURE(p[0], p[1], p[2], temperature);
      const std::array<float, 3> q = calibrated(p, temperature);
      REQUIRE(q[0] + q[1] + q[2] == Approx(1.0F).margin(1e-5));
      for (std::size_t i = 0; i < 3; ++i) {
        REQUIRE(q[i] >= 0.0F);
        REQUIRE(q[i] <= 1.0F);
        for (std::size_t k = 0; k < 3; ++k) {
          if (p[i] > p[k]) REQUIRE(q[i] >= q[k]);
          if (p[i] == p[k]) REQUIRE(q[i] == q[k]);
        }
      }
      // The higher it is, the less sure is the most probable one.
      if (!is_first) REQUIRE(q[most] <= sharper[most] + 1e-6F);
      sharper = q;
      is_first = false;
    }
    const std::array<float, 3> sharp = calibrated(p, 1e-30F);
    REQUIRE(sharp[most] > 0.33F);
  }
  // Guo et al.: exp(log p / T), normalised.
  const std::array<float, 3> q = calibrated({0.64F, 0.32F, 0.04F}, 2.0F);
  const double sum = 0.8 + std::sqrt(0.32) + 0.2;
  CHECK(q[0] == Approx(0.8 / sum));
  CHECK(q[2] == Approx(0.2 / sum));
  // Monotone in P(Unsafe), the ratio of the others kept.
  for (const float temperature : {0.3F, 3.0F}) {
    float before = -1;
    for (int i = 0; i <= 100; ++i) {
      const float unsafe = static_cast<float>(i) / 100.0F, rest = 1.0F - unsafe;
      const float score = calibrated({unsafe, 0.75F * rest, 0.25F * rest}, temperature)[0];
      CHECK(score >= before);
      before = score;
    }
    CHECK(before == 1.0F);
  }
  // Without probabilities nothing is known to be below a threshold.
  CHECK(calibrated({0, 0, 0}, 0.5F) == std::array<float, 3>{1, 1, 1});
}

TEST_CASE("policy: make() names what is out of range by its path", "[policy]") {
  using Change = std::function<void(PolicySpec&)>;
  const auto refusal = [](const Change& change) {
    PolicySpec spec;
    change(spec);
    const auto made = Policy::make(spec);
    if (made.ok()) return std::string();
    CHECK(made.error().code == ErrorCode::invalid_argument);
    return made.error().detail;
  };
  const auto rules = [](const auto& change) {
    return Change([change](PolicySpec& spec) { change(spec.rules); });
  };
  const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
  std::vector<std::pair<std::string, Change>> cases = {
      {"mode", rules([](PolicyRules& r) { r.mode = static_cast<Mode>(2); })},
      {"debounce.rule", rules([](PolicyRules& r) { r.debounce.rule = static_cast<RunRule>(2); })},
      {"debounce.end_of_turn", rules([](PolicyRules& r) { r.debounce.end_of_turn = EndOfTurn(-1); })},
      {"debounce.consecutive_tokens", rules([](PolicyRules& r) { r.debounce.consecutive_tokens = 0; })},
      {"debounce.release_tokens", rules([](PolicyRules& r) { r.debounce.release_tokens = -1; })},
      {"unjudged", rules([](PolicyRules& r) { r.unjudged = static_cast<Unjudged>(2); })},
      {"context", rules([](PolicyRules& r) { r.context = static_cast<ContextPolicy>(3); })},
      {"long_text", rules([](PolicyRules& r) { r.long_text = static_cast<LongText>(2); })},
      {"dropped_messages", rules([](PolicyRules& r) { r.dropped_messages = DroppedMessages(2); })},
      {"window_overlap_tokens", rules([](PolicyRules& r) { r.window_overlap_tokens = -1; })},
  };
  for (const std::string& bad : {std::string(), std::string(64, 'x'), std::string("\xFF"),
                                 std::string("a\nb"), std::string("\x7F"), std::string("\0", 1)})
    cases.emplace_back("name", [bad](PolicySpec& spec) { spec.name = bad; });
  for (const std::string& bad : {std::string(), std::string(32, '1'), std::string("1\0", 2)})
    cases.emplace_back("version", [bad](PolicySpec& spec) { spec.version = bad; });
  for (const float bad : {0.0F, -1.0F, nan, inf}) {
    cases.emplace_back("prompt.temperature", rules([bad](PolicyRules& r) { r.prompt.temperature = bad; }));
    cases.emplace_back("response.temperature",
                       rules([bad](PolicyRules& r) { r.response.temperature = bad; }));
  }
  for (const float bad : {-0.01F, 1.01F, nan, inf}) {
    cases.emplace_back("debounce.release_threshold", rules([bad](PolicyRules& r) {
                         r.debounce.release_tokens = 1;
                         r.debounce.release_threshold = bad;
                       }));
  }
  for (const auto& [path, change] : cases) {
    const std::string said = refusal(change);
    CAPTURE(path, said);
    CHECK(said.starts_with(path + ": "));
  }

  // The bounds themselves.
  CHECK(refusal([](PolicySpec&) {}).empty());
  CHECK(refusal([](PolicySpec& spec) { spec.name = std::string(61, 'x') + "\xC3\xA9"; }).empty());
  CHECK(refusal([](PolicySpec& spec) { spec.version = std::string(31, '1'); }).empty());
  for (const float good : {0.0F, 1.0F}) {
    CHECK(refusal(rules([good](PolicyRules& r) {
            r.debounce.release_tokens = 1;
            r.debounce.release_threshold = good;
            test::each_category(r, [good](CategoryRule& rule) {
              rule.flag_threshold = good;
              rule.block_threshold = good;
            });
          })).empty());
  }
}

TEST_CASE("policy: make() names a category's contradictions by its path", "[policy]") {
  for (const bool is_prompt : {true, false}) {
    for (std::int32_t i = 0; i < kCategoryCount; ++i) {
      const auto category = static_cast<Category>(i);
      const std::string path =
          std::string(is_prompt ? "prompt" : "response") + ".categories." + to_string(category);
      CAPTURE(path);
      const auto refusal = [&](const auto& change) {
        PolicySpec spec;
        change(rule_of(is_prompt ? spec.rules.prompt : spec.rules.response, category));
        const auto made = Policy::make(spec);
        return made.ok() ? std::string() : made.error().detail;
      };
      const auto check = [&](const std::string& field, const auto& change) {
        const std::string said = refusal(change);
        CAPTURE(field, said);
        CHECK(said.starts_with(path + field + ": "));
      };
      check(".unsafe", [](CategoryRule& r) { r.unsafe = Action::none; });
      check(".unsafe", [](CategoryRule& r) { r.unsafe = static_cast<Action>(4); });
      check(".controversial", [](CategoryRule& r) { r.controversial = Action::none; });
      check(".controversial", [](CategoryRule& r) {
        r.unsafe = Action::flag;
        r.controversial = Action::block;
      });
      check(".flag_threshold", [](CategoryRule& r) { r.flag_threshold = 1.5F; });
      check(".block_threshold", [](CategoryRule& r) { r.block_threshold = std::nanf(""); });
      check(".flag_threshold", [](CategoryRule& r) {
        r.flag_threshold = 0.75F;
        r.block_threshold = 0.5F;
      });
      check(".unsafe", [](CategoryRule& r) {
        r.unsafe = Action::flag;
        r.block_threshold = 0.5F;
      });
      CHECK(refusal([](CategoryRule& r) { r = {Action::flag, Action::flag, {}, {}}; }).empty());
      CHECK(refusal([](CategoryRule& r) { r = {Action::block, {}, 0.0F, 1.0F}; }).empty());
    }
  }
}

TEST_CASE("policy: what was not judged has the action of the policy", "[policy]") {
  const Policy blocks = test::policy([](PolicySpec& spec) {
    spec.name = "p";
    spec.version = "7";
    spec.rules.unjudged = Unjudged::block;
  });
  for (const Policy& policy : {Policy(), blocks}) {
    const Ruling ruling = rule_unjudged(policy);
    const bool is_block = policy.rules().unjudged == Unjudged::block;
    CHECK(ruling.action == (is_block ? Action::block : Action::none));
    CHECK(ruling.rule == (is_block ? Rule::not_judged : Rule::none));
    CHECK(ruling.policy_name == policy.name());
    CHECK(ruling.policy_version == policy.version());
    CHECK(test::text_of(decide(policy, Verdict()).value()) == test::text_of(ruling));
    std::vector<TokenVerdict> nothing;
    const Decision decision = decide(policy, Role::assistant, nothing, true);
    CHECK(decision.action == ruling.action);
    CHECK(test::text_of(decision.ruling) == test::text_of(ruling));
    CHECK(decide(policy, Role::assistant, nothing, false).action == Action::none);
  }
}

TEST_CASE("policy: a stored verdict is ruled again", "[policy]") {
  const std::uint32_t seed = 42;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(3000); ++n) {
    const Policy policy = Policy::make(test::random::spec(random)).value();
    Verdict verdict;
    verdict.role = n % 2 == 0 ? Role::user : Role::assistant;
    verdict.severity = static_cast<Severity>(random() % 4);
    verdict.probabilities = some_of(verdict.severity);
    std::vector<Category> found;
    for (std::size_t i = random() % 4; i > 0; --i) {
      found.push_back(static_cast<Category>(random() % kCategoryCount));
      verdict.categories.push_back({found.back(), 0.5F});
    }
    const Ruling ruling = decide(policy, verdict).value();
    CHECK(ruling.policy_name == policy.name());
    CHECK(ruling.policy_version == policy.version());
    CHECK_FALSE(ruling.position.has_value());
    if (verdict.severity == Severity::not_judged) {
      CHECK(test::text_of(ruling) == test::text_of(rule_unjudged(policy)));
      continue;
    }
    const Assessment expected =
        detail::assess(policy.rules(), verdict.role, verdict.severity, verdict.probabilities, found);
    CHECK(ruling.action == expected.action);
    CHECK(ruling.action >= Action::allow);
    CHECK(ruling.rule == expected.rule);
    CHECK(ruling.category == expected.category);
    CHECK(ruling.score == expected.score);
    CHECK(ruling.is_settled);
    // Names nothing that the rule does not explain.
    if (ruling.rule == Rule::safe) CHECK_FALSE(ruling.category.has_value());
    if (ruling.rule == Rule::severity || ruling.rule == Rule::category_off)
      CHECK(verdict.severity > Severity::safe);
    if (ruling.category) CHECK(std::find(found.begin(), found.end(), *ruling.category) != found.end());
  }
  // A Stream checkpoint's whose tokens were not kept.
  Verdict verdict = verdict_of(Severity::unsafe, kViolent);
  verdict.position = 3;
  const auto refused = decide(Policy(), verdict);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code == ErrorCode::invalid_argument);
  CHECK(refused.error().detail.find("keep_token_verdicts") != std::string::npos);
}

TEST_CASE("policy: a score that is missing, or no number, is below no threshold", "[policy]") {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<SeverityProbabilities> unknown = {{},
                                                      {kNan, kNan, kNan},
                                                      {0.9F, kNan, 0.1F},
                                                      {kNan, 0.0F, 0.1F},
                                                      {0.5F, 0.0F, -0.5F},
                                                      {-1.0F, 0.0F, 0.0F}};
  for (const Mode mode : {Mode::strict, Mode::loose}) {
    for (const float temperature : {0.01F, 1.0F, 3.0F, 100.0F}) {
      const Policy policy = test::policy([&](PolicySpec& spec) {
        spec.rules.mode = mode;
        spec.rules.debounce = {.consecutive_tokens = 1, .release_tokens = 1, .release_threshold = 1.0F};
        test::each_category(spec.rules, [](CategoryRule& rule) {
          rule.flag_threshold = 0.5F;
          rule.block_threshold = 1.0F;
        });
        spec.rules.prompt.temperature = spec.rules.response.temperature = temperature;
      });
      for (const SeverityProbabilities& probabilities : unknown) {
        for (const Severity severity : {Severity::safe, Severity::controversial, Severity::unsafe}) {
          CAPTURE(to_string(severity), temperature, probabilities.safe, probabilities.controversial,
                  probabilities.unsafe);
          Verdict verdict = verdict_of(severity, kViolent);
          verdict.probabilities = probabilities;
          const Ruling ruling = decide(policy, verdict).value();
          CHECK(ruling.action == Action::block);
          CHECK(ruling.rule == Rule::threshold);
          CHECK(ruling.score == 1.0F);
          // Nor does it take an action back.
          std::vector<TokenVerdict> tokens(2);
          for (TokenVerdict& token : tokens) {
            token.severity = severity;
            token.source = VerdictSource::heads;
            token.probabilities = probabilities;
          }
          CHECK(decide(policy, Role::assistant, tokens, true).action == Action::block);
        }
      }
    }
  }
  // Where no score is asked for, none is missed.
  Verdict verdict = verdict_of(Severity::safe, {});
  verdict.probabilities = {};
  CHECK(decide(Policy(), verdict).value().action == Action::allow);
}

TEST_CASE("policy: of an answer in two forms, what one leaves unjudged is not let pass", "[policy]") {
  Verdict verdict;
  verdict.role = Role::assistant;
  verdict.severity = Severity::safe;
  verdict.position = 1;
  verdict.token_verdicts.resize(2);
  TokenVerdict& judged = verdict.token_verdicts[1];
  judged.severity = Severity::safe;
  judged.source = VerdictSource::heads;
  judged.probabilities = kSafe;
  verdict.n_as_written = 1;
  CHECK(decide(Policy(), verdict).value().action == Action::none);
  std::swap(verdict.token_verdicts[0], verdict.token_verdicts[1]);
  CHECK(decide(Policy(), verdict).value().action == Action::none);
  verdict.token_verdicts[1] = verdict.token_verdicts[0];
  CHECK(decide(Policy(), verdict).value().action == Action::allow);
}

TEST_CASE("policy: of parts, the ruling does not depend on which of them was kept", "[policy]") {
  const std::uint32_t seed = 1527;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(500); ++n) {
    const Policy policy = Policy::make(test::random::spec(random)).value();
    Verdict verdict;
    const auto n_parts = static_cast<std::int32_t>(2 + random() % 4);
    bool is_all_judged = true;
    Action strictest = Action::allow;
    for (std::int32_t i = 0; i < n_parts; ++i) {
      Verdict part = verdict_of(static_cast<Severity>(random() % 4), {static_cast<Category>(random() % 9)});
      part.window = VerdictWindow{i, n_parts, i, i + 1};
      is_all_judged = is_all_judged && part.severity != Severity::not_judged;
      strictest =
          std::max(strictest, decide(policy, part.severity == Severity::not_judged
                                                 ? Verdict()
                                                 : verdict_of(part.severity, {part.categories[0].category}))
                                  .value()
                                  .action);
      verdict.windows.push_back(part);
    }
    std::string first;
    for (std::int32_t i = 0; i < n_parts; ++i) {
      verdict.window = verdict.windows[static_cast<std::size_t>(i)].window;
      const Ruling ruling = decide(policy, verdict).value();
      if (i == 0) first = test::text_of(ruling);
      CHECK(test::text_of(ruling) == first);
      if (ruling.action == Action::allow) CHECK(is_all_judged);
      CHECK(ruling.action == (strictest == Action::allow && !is_all_judged ? Action::none : strictest));
    }
  }
}
