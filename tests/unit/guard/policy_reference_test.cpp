// SPDX-License-Identifier: Apache-2.0
// decide() over tokens against a second implementation, which looks at the whole turn for each token and is
// written down from policy.hpp and policy_spec.hpp.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "guard/policy/assess.hpp"
#include "guard/policy/stream_policy.hpp"
#include "guard/session/turn_record.hpp"
#include "iterations.hpp"
#include "policies.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/policy.hpp"

using namespace qwen3guard;
using detail::Assessment;

namespace {

bool is_judged(const TokenVerdict& token) {
  return token.counts && (token.source == VerdictSource::heads || token.source == VerdictSource::written);
}
bool ends_runs(const TokenVerdict& token) { return token.counts && token.source == VerdictSource::none; }

/// What is looked for in a turn: a severity and a level (0, 1, 2) for each token that is judged.
struct Sign {
  Severity severity = Severity::not_judged;
  int level = 0;
};

/// Where one of the levels was held.
struct Found {
  int level = 0;
  std::size_t at = 0, begin = 0, best = 0;
  bool is_mixed = false, is_end_of_turn = false;
};

class Reference {
 public:
  Reference(const Policy& policy, Role role, const std::vector<TokenVerdict>& tokens, bool has_ended)
      : rules_(policy.rules()), role_(role), tokens_(tokens), has_ended_(has_ended), policy_(policy) {}

  /// The whole decision; actions: each token's.
  Decision decide(std::vector<Action>& actions) const {
    std::vector<Sign> severities(tokens_.size()), doings(tokens_.size());
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!is_judged(tokens_[i])) continue;
      const Assessment found = detail::assess(rules_, role_, tokens_[i]);
      const Severity own = tokens_[i].severity;
      severities[i] = {own, own == Severity::unsafe ? 2 : own == Severity::controversial ? 1 : 0};
      // It counts with its severity, or with what its threshold stands for.
      const bool by_score = found.rule == Rule::threshold;
      doings[i].level = found.action == Action::block ? 2 : found.action == Action::flag ? 1 : 0;
      doings[i].severity = doings[i].level == 0   ? Severity::safe
                           : !by_score            ? own
                           : doings[i].level == 2 ? Severity::unsafe
                                                  : Severity::controversial;
    }
    Decision out;
    set_completeness(out);
    set_severity(out, first_of(severities));
    set_ruling(out, first_of(doings), in_force(doings, actions));
    return out;
  }

 private:
  /// The tokens of the run that ends in the judged token `last`, the last first.
  [[nodiscard]] std::vector<std::size_t> run_at(const std::vector<Sign>& signs, std::size_t last) const {
    std::vector<std::size_t> run;
    const bool mixes =
        rules_.debounce.rule == RunRule::report && tokens_[last].source == VerdictSource::heads;
    for (std::size_t i = last + 1; i-- > 0;) {
      if (ends_runs(tokens_[i])) break;
      if (!is_judged(tokens_[i])) continue;
      const bool is_safe = signs[i].severity == Severity::safe,
                 was_safe = signs[last].severity == Severity::safe;
      if (mixes ? is_safe != was_safe : signs[i].severity != signs[last].severity) break;
      run.push_back(i);
    }
    return run;
  }
  [[nodiscard]] Found held(const std::vector<Sign>& signs, const std::vector<std::size_t>& run) const {
    Found out;
    out.at = run.front();
    out.begin = run.back();
    for (const std::size_t i : run) {
      out.is_mixed = out.is_mixed || signs[i].severity != signs[run.front()].severity;
      if (signs[i].level > out.level) out.best = i;  // the last one of the highest level
      out.level = std::max(out.level, signs[i].level);
    }
    return out;
  }
  [[nodiscard]] bool is_long_enough(const std::vector<std::size_t>& run) const {
    return run.size() >= static_cast<std::size_t>(rules_.debounce.consecutive_tokens) ||
           tokens_[run.front()].source == VerdictSource::written;
  }
  /// The run that the end of the turn cuts off, or completes; empty when there is none.
  [[nodiscard]] std::vector<std::size_t> open_run(const std::vector<Sign>& signs) const {
    if (!has_ended_ || rules_.debounce.end_of_turn == EndOfTurn::ignore_open_run) return {};
    for (std::size_t i = tokens_.size(); i-- > 0;) {
      if (ends_runs(tokens_[i])) return {};
      if (is_judged(tokens_[i])) return run_at(signs, i);
    }
    return {};
  }
  /// The first place of the highest level.
  [[nodiscard]] Found first_of(const std::vector<Sign>& signs) const {
    Found out;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!is_judged(tokens_[i])) continue;
      const auto run = run_at(signs, i);
      const Found now = held(signs, run);
      if (is_long_enough(run) && now.level > out.level) out = now;
    }
    if (const auto run = open_run(signs); !run.empty()) {
      Found end = held(signs, run);
      end.is_end_of_turn = true;
      if (end.level > out.level) out = end;
    }
    return out;
  }
  /// Actions go up with runs, and down after tokens in a row that lead to none.
  [[nodiscard]] int in_force(const std::vector<Sign>& signs, std::vector<Action>& actions) const {
    static constexpr Action kActions[] = {Action::allow, Action::flag, Action::block};
    int level = 0, calm = 0;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (is_judged(tokens_[i])) {
        const auto run = run_at(signs, i);
        if (is_long_enough(run)) level = std::max(level, held(signs, run).level);
        const float score = detail::score_of(rules_, role_, tokens_[i].probabilities);
        const auto& threshold = rules_.debounce.release_threshold;
        calm = signs[i].level == 0 && (!threshold || score < *threshold) ? calm + 1 : 0;
        if (rules_.debounce.release_tokens > 0 && calm >= rules_.debounce.release_tokens) level = 0;
        actions.push_back(kActions[level]);
      } else {
        actions.push_back(level > 0 ? kActions[level] : Action::none);
      }
    }
    if (const auto run = open_run(signs); !run.empty()) level = std::max(level, held(signs, run).level);
    return level;
  }

  void set_completeness(Decision& out) const {
    bool has_any = false;
    std::optional<std::size_t> missing;
    for (std::size_t i = 0; i < tokens_.size(); ++i) {
      if (!tokens_[i].counts) {
        // One that a Gen checkpoint wrote covers all the same.
        if (tokens_[i].source == VerdictSource::written) missing.reset();
        continue;
      }
      if (tokens_[i].source == VerdictSource::written) missing.reset();
      if (is_judged(tokens_[i]))
        has_any = true;
      else if (!missing)
        missing = i;
    }
    out.is_complete = has_any && !missing;
    if (missing) {
      out.unjudged_begin = tokens_[*missing].byte_begin;
      out.unjudged_end = tokens_.back().byte_end;
    }
  }
  void set_severity(Decision& out, const Found& found) const {
    if (found.level == 0) {
      out.severity = out.is_complete ? Severity::safe : Severity::not_judged;
      return;
    }
    const TokenVerdict& at = tokens_[found.at];
    out.severity = found.level == 2 ? Severity::unsafe : Severity::controversial;
    out.position = at.position;
    out.token = at;
    out.is_settled = at.is_settled;
    out.reason = found.is_end_of_turn                  ? DecisionReason::end_of_turn
                 : at.source == VerdictSource::written ? DecisionReason::written
                 : found.level == 2 && found.is_mixed  ? DecisionReason::mixed_run
                                                       : DecisionReason::run;
    out.n_run_tokens = static_cast<std::int32_t>(found.at - found.begin) + 1;
    out.run_byte_begin = tokens_[found.begin].byte_begin;
    severity_at_ = found.at;
    severity_begin_ = found.begin;
  }
  void set_ruling(Decision& out, const Found& found, int level) const {
    Ruling& ruling = out.ruling;
    ruling.policy_name = policy_.name();
    ruling.policy_version = policy_.version();
    const auto take = [&](std::size_t best, std::size_t at, std::size_t begin) {
      const Assessment reason = detail::assess(rules_, role_, tokens_[best]);
      ruling.rule = reason.rule;
      ruling.category = reason.category;
      ruling.score = reason.score;
      ruling.position = tokens_[at].position;
      ruling.byte_begin = tokens_[begin].byte_begin;
      ruling.byte_end = tokens_[at].byte_end;
    };
    if (found.level > 0) {
      ruling.action = found.level == 2 ? Action::block : Action::flag;
      ruling.is_settled = tokens_[found.at].is_settled;
      take(found.best, found.at, found.begin);
    } else if (out.is_complete) {
      ruling.action = Action::allow;
      ruling.rule = Rule::safe;
      ruling.is_settled = has_ended_;
      const bool is_let_pass =
          severity_at_ && detail::assess(rules_, role_, tokens_[*severity_at_]).action == Action::allow;
      if (is_let_pass) take(*severity_at_, *severity_at_, *severity_begin_);
    }
    static constexpr Action kActions[] = {Action::allow, Action::flag, Action::block};
    out.action = found.level == 0 ? ruling.action : kActions[level];
    if (out.action == Action::allow && !out.is_complete) out.action = Action::none;
    if (!has_ended_ || out.is_complete || rules_.unjudged == Unjudged::no_action) return;
    out.action = Action::block;
    if (ruling.action == Action::block) return;
    ruling = rule_unjudged(policy_);
    ruling.byte_begin = out.unjudged_begin;
    ruling.byte_end = out.unjudged_end;
  }

  const PolicyRules& rules_;
  Role role_;
  const std::vector<TokenVerdict>& tokens_;
  bool has_ended_;
  const Policy& policy_;
  mutable std::optional<std::size_t> severity_at_, severity_begin_;
};

/// Few different ones, so that tokens often are alike.
TokenVerdict random_token(std::mt19937& random, bool is_gen) {
  static constexpr SeverityProbabilities kSome[] = {{0.875F, 0.125F, 0},  {0.5F, 0.25F, 0.25F},
                                                    {0.25F, 0.5F, 0.25F}, {0.25F, 0.375F, 0.375F},
                                                    {0, 0.125F, 0.875F},  {1, 0, 0}};
  TokenVerdict out;
  out.probabilities = kSome[random() % std::size(kSome)];
  const SeverityProbabilities& p = out.probabilities;
  out.severity = p.unsafe >= std::max(p.safe, p.controversial) ? Severity::unsafe
                 : p.controversial >= p.safe                   ? Severity::controversial
                                                               : Severity::safe;
  out.category = static_cast<Category>(random() % 3);
  out.category_probabilities[static_cast<std::size_t>(out.category)] = 0.5F;
  out.source = VerdictSource::heads;
  if (is_gen) {
    // A Safe one names none, and others several.
    if (out.severity == Severity::safe) out.category_probabilities = {};
    if (out.severity > Severity::safe && random() % 2 == 0) out.category_probabilities[random() % 4] = 0.25F;
    out.source = random() % 3 == 0 ? VerdictSource::written : VerdictSource::carried;
    if (out.source == VerdictSource::carried && out.severity == Severity::safe)
      out.severity = Severity::not_judged;
  }
  return out;
}

std::vector<TokenVerdict> random_turn(std::mt19937& random) {
  const bool is_gen = random() % 4 == 0, has_gaps = random() % 3 == 0, has_others = random() % 3 == 0;
  const auto n_repeats = 1 + random() % 3;
  std::vector<TokenVerdict> out;
  const auto n = random() % 24;
  while (out.size() < n) {
    TokenVerdict token = random_token(random, is_gen);
    if (has_gaps && random() % 8 == 0) {
      token = TokenVerdict();
    } else if (has_others && random() % 4 == 0) {
      token.counts = false;
    }
    for (auto i = 1 + random() % n_repeats; i > 0 && out.size() < n; --i) {
      const auto k = static_cast<std::int32_t>(out.size());
      token.position = 100 + k;
      token.byte_begin = 5 * k;
      token.byte_end = 5 * k + 5;
      token.is_settled = random() % 8 != 0;
      out.push_back(token);
    }
  }
  return out;
}

std::string story(const std::vector<TokenVerdict>& tokens) {
  std::string out;
  for (const TokenVerdict& token : tokens) {
    out += "?scu"[static_cast<std::size_t>(token.severity)];
    out += std::to_string(static_cast<int>(token.category));
    out += std::string(to_string(token.source)).substr(0, 1);
    out += token.counts ? " " : "! ";
  }
  return out;
}

}  // namespace

TEST_CASE("policy: decides as a plain reading of its rules, on random turns", "[policy]") {
  const std::uint32_t seed = 20261128;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  std::map<Rule, int> n_ruled;
  std::map<DecisionReason, int> n_decided;
  int n_released = 0;
  for (int n = 0; n < q3g_test::iterations(40000); ++n) {
    const Policy policy = Policy::make(test::random::spec(random)).value();
    const Role role = random() % 4 == 0 ? Role::user : Role::assistant;
    const bool has_ended = random() % 2 == 0;
    const std::vector<TokenVerdict> given = random_turn(random);
    std::vector<TokenVerdict> tokens = given;
    const Decision decision = decide(policy, role, tokens, has_ended);
    std::vector<Action> actions;
    const Decision wanted = Reference(policy, role, given, has_ended).decide(actions);
    CAPTURE(n, story(given), has_ended);
    REQUIRE(test::text_of(decision) == test::text_of(wanted));
    for (std::size_t i = 0; i < tokens.size(); ++i) {
      CAPTURE(i);
      REQUIRE(tokens[i].action == actions[i]);
      REQUIRE(tokens[i].severity == given[i].severity);
    }
    ++n_ruled[decision.ruling.rule];
    ++n_decided[decision.reason];
    n_released += decision.action < decision.ruling.action ? 1 : 0;
  }
  // All of it was met with.
  for (const Rule rule : {Rule::none, Rule::safe, Rule::severity, Rule::threshold, Rule::below_threshold,
                          Rule::category_off, Rule::not_judged})
    CHECK(n_ruled[rule] > 0);
  CHECK(n_decided.size() == 5);
  CHECK(n_released > 0);
}

TEST_CASE("policy: what was not judged is never allowed, whatever the policy", "[policy]") {
  const std::uint32_t seed = 77;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(20000); ++n) {
    const Policy policy = Policy::make(test::random::spec(random)).value();
    const bool has_ended = random() % 2 == 0;
    std::vector<TokenVerdict> tokens = random_turn(random);
    const Decision decision = decide(policy, Role::assistant, tokens, has_ended);
    CAPTURE(n, story(tokens), has_ended);
    for (const Action action : {decision.action, decision.ruling.action}) {
      if (action != Action::allow) continue;
      REQUIRE(decision.is_complete);
      REQUIRE(decision.severity != Severity::not_judged);
    }
    if (decision.is_complete) REQUIRE(decision.action != Action::none);
    if (decision.is_complete) REQUIRE(decision.severity != Severity::not_judged);
    if (has_ended && !decision.is_complete && policy.rules().unjudged == Unjudged::block)
      REQUIRE(decision.action == Action::block);
    // Released or not, an action is one that was ruled.
    REQUIRE(decision.action <= std::max(decision.ruling.action, Action::allow));
    REQUIRE(decision.ruling.policy_name == policy.name());
  }
}

TEST_CASE("policy: no rule but the debounce changes a severity", "[policy]") {
  const std::uint32_t seed = 78;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(20000); ++n) {
    PolicySpec one = test::random::spec(random), other = test::random::spec(random);
    const std::vector<TokenVerdict> turn = random_turn(random);
    other.rules.debounce.rule = one.rules.debounce.rule;
    other.rules.debounce.consecutive_tokens = one.rules.debounce.consecutive_tokens;
    other.rules.debounce.end_of_turn = one.rules.debounce.end_of_turn;
    PolicySpec plain;
    plain.rules.debounce = one.rules.debounce;
    const bool has_ended = random() % 2 == 0;
    CAPTURE(n, story(turn), has_ended);
    const auto said = [&](const PolicySpec& spec, Role role) {
      std::vector<TokenVerdict> tokens = turn;
      const Decision decision = decide(Policy::make(spec).value(), role, tokens, has_ended);
      for (std::size_t i = 0; i < tokens.size(); ++i) REQUIRE(tokens[i].severity == turn[i].severity);
      return test::severity_text(decision);
    };
    const std::string expected = said(plain, Role::assistant);
    REQUIRE(said(one, Role::assistant) == expected);
    REQUIRE(said(other, Role::assistant) == expected);
    REQUIRE(said(other, Role::user) == expected);
  }
}

TEST_CASE("policy: a stricter category never rules milder, nor later", "[policy]") {
  const std::uint32_t seed = 79;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(20000); ++n) {
    PolicySpec mild = test::random::spec(random);
    // Without thresholds, one step for all: runs are the same ones then.
    test::each_category(mild.rules, [](CategoryRule& rule) { rule = {Action::flag, Action::flag, {}, {}}; });
    PolicySpec strict = mild;
    test::each_category(strict.rules, [](CategoryRule& rule) {
      rule = {Action::block, Action::block, {}, {}};
    });
    const std::vector<TokenVerdict> turn = random_turn(random);
    std::vector<TokenVerdict> a = turn, b = turn;
    const Decision by_mild = decide(Policy::make(mild).value(), Role::assistant, a, false);
    const Decision by_strict = decide(Policy::make(strict).value(), Role::assistant, b, false);
    CAPTURE(n, story(turn));
    REQUIRE(by_strict.ruling.action >= by_mild.ruling.action);
    REQUIRE(by_strict.ruling.position == by_mild.ruling.position);
    for (std::size_t i = 0; i < turn.size(); ++i) REQUIRE(b[i].action >= a[i].action);
  }
}

TEST_CASE("policy: a turn that the context slides over keeps what its decision needs", "[policy]") {
  const std::uint32_t seed = 80;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(5000); ++n) {
    const Policy policy = Policy::make(test::random::spec(random)).value();
    detail::TurnRecord record;
    std::vector<TokenVerdict> all;
    for (TokenVerdict token : random_turn(random)) {
      // All that counts is judged, so that nothing else is to be known.
      if (token.source != VerdictSource::heads) continue;
      detail::TurnToken next;
      next.state = record.last().state;
      next.verdict = token;
      next.state.push(policy.rules(), Role::assistant, detail::TurnRecord::index(record.n_tokens()),
                      next.verdict);
      record.tokens.push_back(next);
      all.push_back(token);
      if (random() % 4 == 0) record.slide(1 + random() % record.tokens.size());
      const detail::PolicyState& state = record.last().state;
      const auto found =
          detail::deciding_tokens(state, [&](std::int32_t index) { return record.verdict(index); });
      const Decision decision = detail::make_decision(policy, Role::assistant, state, found, {}, false);
      std::vector<TokenVerdict> whole = all;
      CAPTURE(n, story(all), record.n_slid);
      REQUIRE(test::text_of(decision) == test::text_of(decide(policy, Role::assistant, whole, false)));
    }
  }
}
