// SPDX-License-Identifier: Apache-2.0
// The two rules of the debounce, against a second implementation that looks at the whole turn for each token.
#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "guard/policy/stream_policy.hpp"
#include "iterations.hpp"
#include "policies.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/policy.hpp"
#include "random_data.hpp"

using namespace qwen3guard;

namespace {

/// One letter a token: s, c, u; capitals do not count; "-" was not judged.
std::vector<TokenVerdict> tokens_of(const std::string& letters) {
  std::vector<TokenVerdict> out;
  for (const char c : letters) {
    TokenVerdict token;
    const bool is_unsafe = c == 'u' || c == 'U', is_controversial = c == 'c' || c == 'C';
    token.severity = is_unsafe          ? Severity::unsafe
                     : is_controversial ? Severity::controversial
                                        : Severity::safe;
    token.probabilities = {0.01F, is_controversial ? 0.89F : 0.1F, is_unsafe ? 0.89F : 0.1F};
    if (token.severity == Severity::safe) token.probabilities = {0.8F, 0.1F, 0.1F};
    token.category = is_unsafe ? Category::violent : Category::unethical_acts;
    token.source = c == '-' ? VerdictSource::none : VerdictSource::heads;
    token.counts = c >= 'a' || c == '-';
    token.is_settled = true;
    token.position = static_cast<std::int32_t>(out.size());
    token.byte_begin = 3 * token.position;
    token.byte_end = token.byte_begin + 3;
    out.push_back(token);
  }
  return out;
}

PolicyRules rules_of(RunRule rule, std::int32_t n = 2, Mode mode = Mode::strict) {
  PolicyRules rules;
  rules.debounce.rule = rule;
  rules.debounce.consecutive_tokens = n;
  rules.mode = mode;
  return rules;
}

Policy policy_of(const PolicyRules& rules) {
  return test::policy([&](PolicySpec& spec) { spec.rules = rules; });
}

Decision decision_of(const PolicyRules& rules, const std::string& letters, bool has_ended = false) {
  std::vector<TokenVerdict> tokens = tokens_of(letters);
  return decide(policy_of(rules), Role::assistant, tokens, has_ended);
}

/// Block, flag, or neither, at each token.
std::string actions(const PolicyRules& rules, const std::string& letters) {
  std::vector<TokenVerdict> tokens = tokens_of(letters);
  (void)decide(policy_of(rules), Role::assistant, tokens, false);
  std::string out;
  for (const TokenVerdict& token : tokens) out += "..fb"[static_cast<std::size_t>(token.action)];
  return out;
}

/// What the rules say, token by token over the whole turn.
struct Expected {
  Severity severity = Severity::safe;  // where nothing was left unjudged
  std::int32_t position = -1, run_begin = -1;
  DecisionReason reason = DecisionReason::none;
  std::string actions;
};

/// The indices of the run that ends in `last`, the last first: back to the first token that belongs to
/// another.
std::vector<std::size_t> run_at(const Debounce& debounce, const std::string& letters, std::size_t last) {
  std::vector<std::size_t> out;
  for (std::size_t i = last + 1; i-- > 0;) {
    if (letters[i] == '-') break;
    if (letters[i] < 'a') continue;
    const bool belongs = debounce.rule == RunRule::published ? letters[i] == letters[last]
                                                             : (letters[i] == 's') == (letters[last] == 's');
    if (!belongs) break;
    out.push_back(i);
  }
  return out;
}

char worst_of(const std::string& letters, const std::vector<std::size_t>& run) {
  char worst = 's';
  for (const std::size_t i : run) worst = letters[i] == 'u' || worst == 'u' ? 'u' : letters[i];
  return worst;
}

bool is_released(const Debounce& debounce, const std::string& letters, std::size_t last) {
  std::int32_t n = 0;
  for (std::size_t i = last + 1; i-- > 0 && n < debounce.release_tokens;) {
    if (letters[i] < 'a') continue;
    if (letters[i] != 's') return false;
    ++n;
  }
  return debounce.release_tokens > 0 && n == debounce.release_tokens;
}

void found(Expected& out, const std::string& letters, const std::vector<std::size_t>& run,
           DecisionReason reason) {
  const char worst = worst_of(letters, run);
  const Severity severity = worst == 'u' ? Severity::unsafe : Severity::controversial;
  if (worst == 's' || severity <= out.severity) return;
  out.severity = severity;
  out.position = static_cast<std::int32_t>(run.front());
  out.run_begin = static_cast<std::int32_t>(run.back());
  const bool is_mixed =
      std::any_of(run.begin(), run.end(), [&](std::size_t i) { return letters[i] != worst; });
  out.reason = reason == DecisionReason::run && is_mixed ? DecisionReason::mixed_run : reason;
}

Expected expected(const PolicyRules& rules, const std::string& letters, bool has_ended) {
  const Debounce& debounce = rules.debounce;
  Expected out;
  char in_force = '.';
  std::vector<std::size_t> run;
  for (std::size_t i = 0; i < letters.size(); ++i) {
    if (letters[i] == '-') run.clear();
    if (letters[i] >= 'a') {
      run = run_at(debounce, letters, i);
      if (run.size() >= static_cast<std::size_t>(debounce.consecutive_tokens)) {
        found(out, letters, run, DecisionReason::run);
        const char worst = worst_of(letters, run);
        const bool blocks = worst == 'u' || (worst == 'c' && rules.mode == Mode::strict);
        if (blocks) in_force = 'b';
        if (worst == 'c' && in_force == '.') in_force = 'f';
      }
      if (is_released(debounce, letters, i)) in_force = '.';
    }
    out.actions += in_force;
  }
  if (has_ended && debounce.end_of_turn == EndOfTurn::count_open_run && !run.empty())
    found(out, letters, run, DecisionReason::end_of_turn);
  return out;
}

std::string random_letters(std::mt19937& random, std::size_t n) {
  static const std::string kKinds[] = {"scu", "cu", "sscucu", "sssscuSCU", "scuscuscu-"};
  const std::string& letters = kKinds[random() % std::size(kKinds)];
  std::string out;
  while (out.size() < n) out += letters[random() % letters.size()];
  return out;
}

PolicyRules random_rules(std::mt19937& random) {
  PolicyRules rules =
      rules_of(random() % 2 == 0 ? RunRule::published : RunRule::report,
               1 + static_cast<std::int32_t>(random() % 5), random() % 2 == 0 ? Mode::strict : Mode::loose);
  rules.debounce.release_tokens = random() % 2 == 0 ? 0 : 1 + static_cast<std::int32_t>(random() % 4);
  rules.debounce.end_of_turn = random() % 2 == 0 ? EndOfTurn::ignore_open_run : EndOfTurn::count_open_run;
  return rules;
}

bool is_equal(const detail::RunTrack& a, const detail::RunTrack& b) {
  return a.run_severity == b.run_severity && a.run_level == b.run_level && a.run_length == b.run_length &&
         a.run_begin == b.run_begin && a.run_best == b.run_best && a.run_is_mixed == b.run_is_mixed;
}

bool is_equal(const detail::PolicyState& a, const detail::PolicyState& b) {
  return is_equal(a.severity, b.severity) && is_equal(a.action, b.action) && a.calm_length == b.calm_length &&
         a.judged_at == b.judged_at && a.in_force == b.in_force &&
         a.deciding_tokens() == b.deciding_tokens() && a.known_tokens() == b.known_tokens();
}

}  // namespace

TEST_CASE("run rule: tokens that alternate are Safe by the script and Unsafe by the report", "[policy]") {
  std::string letters;
  for (int i = 0; i < 50; ++i) letters += "uc";
  CHECK(decision_of(rules_of(RunRule::published), letters).severity == Severity::safe);
  const Decision decision = decision_of(rules_of(RunRule::report), letters);
  CHECK(decision.severity == Severity::unsafe);
  CHECK(decision.position == 1);
  CHECK(decision.token->severity == Severity::controversial);  // its category is the response's
  CHECK(decision.token->category == Category::unethical_acts);
  CHECK(decision.reason == DecisionReason::mixed_run);
  CHECK(decision.n_run_tokens == 2);
  CHECK(decision.run_byte_begin == 0);
  CHECK(
      explain(decision) ==
      "Unsafe (Unethical Acts) at token 1, bytes 0 to 6: 2 in a row, each Unsafe or Controversial, P(Unsafe) "
      "0.10, P(Controversial) 0.89; policy default: block (severity, Unethical Acts)");
  CHECK(Debounce().rule == RunRule::published);
}

TEST_CASE("run rule: the report's run is Unsafe by any of its tokens", "[policy]") {
  const PolicyRules report = rules_of(RunRule::report, 3);
  CHECK(decision_of(report, "scc").severity == Severity::safe);
  CHECK(decision_of(report, "sccc").severity == Severity::controversial);
  CHECK(decision_of(report, "sccc").reason == DecisionReason::run);
  for (const std::string letters : {"succ", "scuc", "sccu", "suuc", "suuu"}) {
    CAPTURE(letters);
    CHECK(decision_of(report, letters).severity == Severity::unsafe);
    CHECK(decision_of(report, letters).position == 3);
    CHECK(decision_of(report, letters).run_byte_begin == 3);
  }
  // Later in the same run, and in a later one.
  CHECK(decision_of(report, "cccccu").position == 5);
  CHECK(decision_of(report, "cccccu").n_run_tokens == 6);
  CHECK(decision_of(report, "cccsuc").severity == Severity::controversial);
  CHECK(decision_of(report, "cccsucc").position == 6);
  // One Safe token ends it.
  CHECK(decision_of(report, "ucsucsuc").severity == Severity::safe);
}

TEST_CASE("run rule: mode, release and the end of the turn go with either", "[policy]") {
  PolicyRules report = rules_of(RunRule::report);
  CHECK(actions(report, "sccsucs") == "..bbbbb");
  report.mode = Mode::loose;
  CHECK(actions(report, "sccsucs") == "..fffbb");
  report.debounce.release_tokens = 2;
  CHECK(actions(report, "ucsscusscc") == ".bb..bb..f");
  report = rules_of(RunRule::report, 3);
  report.debounce.end_of_turn = EndOfTurn::count_open_run;
  const Decision decision = decision_of(report, "ssuc", true);
  CHECK(decision.severity == Severity::unsafe);
  CHECK(decision.reason == DecisionReason::end_of_turn);
  CHECK(decision.n_run_tokens == 2);
  CHECK(explain(decision).find("the turn ended in a run of 2") != std::string::npos);
  // Thresholds make actions, of which the rule makes runs, and leave severities as they are.
  report = rules_of(RunRule::report);
  test::each_category(report, [](CategoryRule& rule) {
    rule.flag_threshold = 0.5F;
    rule.block_threshold = 0.995F;  // of P(Unsafe) + P(Controversial), which is 0.99
  });
  CHECK(decision_of(report, "uc").severity == Severity::unsafe);
  CHECK(decision_of(report, "uc").ruling.action == Action::flag);
  CHECK(decision_of(report, "uc").ruling.rule == Rule::threshold);
  CHECK(decision_of(report, "us").ruling.action == Action::allow);
  CHECK(decision_of(report, "us").ruling.rule == Rule::safe);
  // A category that is off makes no run, nor does it go on with one.
  report = rules_of(RunRule::report);
  test::rule_of(report.response, Category::unethical_acts).unsafe = Action::allow;
  CHECK(decision_of(report, "uc").severity == Severity::unsafe);
  CHECK(decision_of(report, "uc").ruling.action == Action::allow);
  CHECK(decision_of(report, "uc").ruling.rule == Rule::category_off);
  CHECK(decision_of(report, "uc").ruling.category == Category::unethical_acts);
  CHECK(decision_of(report, "uu").ruling.action == Action::block);
  CHECK(decision_of(report, "ucu").ruling.action == Action::allow);
  // Written verdicts decide one by one, and each run is its own.
  std::vector<TokenVerdict> tokens = tokens_of("cscu");
  for (TokenVerdict& token : tokens) token.source = VerdictSource::written;
  const Decision written = decide(policy_of(rules_of(RunRule::report, 4)), Role::assistant, tokens, true);
  CHECK(written.reason == DecisionReason::written);
  CHECK(written.position == 3);
  CHECK(written.n_run_tokens == 1);
}

TEST_CASE("run rule: equals what it says, on random turns", "[policy]") {
  const std::uint32_t seed = 20261127;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(20000); ++n) {
    const PolicyRules rules = random_rules(random);
    const Debounce& debounce = rules.debounce;
    const std::string letters = random_letters(random, 1 + random() % 40);
    const bool has_ended = random() % 2 == 0;
    const Expected wanted = expected(rules, letters, has_ended);
    const Decision decision = decision_of(rules, letters, has_ended);
    CAPTURE(letters, static_cast<int>(debounce.rule), debounce.consecutive_tokens, debounce.release_tokens,
            has_ended, static_cast<int>(debounce.end_of_turn));
    REQUIRE(decision.position.value_or(-1) == wanted.position);
    if (wanted.severity > Severity::safe || decision.is_complete)
      REQUIRE(decision.severity == wanted.severity);
    REQUIRE(decision.reason == wanted.reason);
    REQUIRE(actions(rules, letters) == wanted.actions);
    if (wanted.position < 0) continue;
    REQUIRE(decision.n_run_tokens == wanted.position - wanted.run_begin + 1);
    REQUIRE(decision.run_byte_begin == 3 * wanted.run_begin);
  }
}

TEST_CASE("run rule: the report's is never milder than the script's, nor its action later", "[policy]") {
  const std::uint32_t seed = 414;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(5000); ++n) {
    PolicyRules rules = random_rules(random);
    const std::string letters = random_letters(random, 1 + random() % 40);
    const bool has_ended = random() % 2 == 0;
    rules.debounce.rule = RunRule::published;
    const Decision script = decision_of(rules, letters, has_ended);
    const std::string by_script = actions(rules, letters);
    rules.debounce.rule = RunRule::report;
    const Decision report = decision_of(rules, letters, has_ended);
    const std::string by_report = actions(rules, letters);
    CAPTURE(letters, rules.debounce.consecutive_tokens, by_script, by_report);
    REQUIRE(report.severity >= script.severity);
    REQUIRE(report.ruling.action >= script.ruling.action);
    for (std::size_t i = 0; i < letters.size(); ++i) {
      REQUIRE((by_report[i] == '.') <= (by_script[i] == '.'));
      REQUIRE((by_report[i] == 'b') >= (by_script[i] == 'b'));
    }
  }
}

TEST_CASE("run rule: a state goes back to any token", "[policy]") {
  CHECK(sizeof(detail::PolicyState) <= 136);  // a session keeps one for every token
  const std::uint32_t seed = 98;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < q3g_test::iterations(500); ++n) {
    const PolicyRules rules = random_rules(random);
    std::vector<TokenVerdict> tokens;
    std::vector<detail::PolicyState> states(1);
    for (int step = 0; step < 6; ++step) {
      tokens.resize(random() % (tokens.size() + 1));
      states.resize(tokens.size() + 1);
      for (const TokenVerdict& token : tokens_of(random_letters(random, random() % 12))) {
        const auto index = static_cast<std::int32_t>(tokens.size());
        tokens.push_back(token);
        states.push_back(states.back());
        states.back().push(rules, Role::assistant, index, tokens.back());
      }
      detail::PolicyState fresh;
      for (std::size_t i = 0; i < tokens.size(); ++i) {
        TokenVerdict token = tokens[i];
        fresh.push(rules, Role::assistant, static_cast<std::int32_t>(i), token);
        REQUIRE(token.action == tokens[i].action);
      }
      REQUIRE(is_equal(fresh, states.back()));
    }
  }
}
