// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "policies.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/policy.hpp"

using namespace qwen3guard;

namespace {

/// One letter a token: s, c, u.
std::vector<TokenVerdict> tokens_of(const std::string& letters) {
  std::vector<TokenVerdict> out;
  for (const char c : letters) {
    TokenVerdict token;
    token.severity = c == 's' ? Severity::safe : c == 'c' ? Severity::controversial : Severity::unsafe;
    token.source = VerdictSource::heads;
    token.is_settled = true;
    token.position = static_cast<std::int32_t>(out.size());
    token.byte_begin = 3 * token.position;
    token.byte_end = token.byte_begin + 3;
    out.push_back(token);
  }
  return out;
}

struct Outcome {
  Decision decision;
  std::vector<TokenVerdict> tokens;
};

Outcome run(const std::string& letters, Mode mode = Mode::strict, std::int32_t consecutive = 2) {
  const Policy policy = test::policy([&](PolicySpec& spec) {
    spec.rules.mode = mode;
    spec.rules.debounce.consecutive_tokens = consecutive;
  });
  Outcome out{{}, tokens_of(letters)};
  out.decision = decide(policy, Role::assistant, out.tokens, false);
  return out;
}

/// None, allow, flag or block: n, a, f, b.
std::string actions(const std::vector<TokenVerdict>& tokens) {
  std::string out;
  for (const TokenVerdict& token : tokens) out += "nafb"[static_cast<std::size_t>(token.action)];
  return out;
}

/// The published rule, written down over the whole list: the first equal pair of Unsafe, else of
/// Controversial.
std::pair<Severity, int> published_rule(const std::vector<TokenVerdict>& tokens) {
  for (const Severity severity : {Severity::unsafe, Severity::controversial}) {
    for (std::size_t i = 1; i < tokens.size(); ++i) {
      if (tokens[i].severity == severity && tokens[i - 1].severity == severity)
        return {severity, static_cast<int>(i)};
    }
  }
  return {Severity::safe, -1};
}

}  // namespace

TEST_CASE("policy: a pair decides, a single token does not", "[policy]") {
  CHECK(run("").decision.severity == Severity::not_judged);
  CHECK(run("u").decision.severity == Severity::safe);
  CHECK(run("ususu").decision.severity == Severity::safe);
  CHECK(run("ucucu").decision.severity == Severity::safe);
  CHECK_FALSE(run("ususu").decision.position.has_value());
  CHECK(run("suu").decision.severity == Severity::unsafe);
  CHECK(run("suu").decision.position == 2);
  CHECK(run("suuuuss").decision.position == 2);
  CHECK(run("scc").decision.severity == Severity::controversial);
}

TEST_CASE("policy: Unsafe wins over an earlier Controversial", "[policy]") {
  const Outcome out = run("ccsuu");
  CHECK(out.decision.severity == Severity::unsafe);
  CHECK(out.decision.position == 4);
  CHECK(out.decision.token->severity == Severity::unsafe);
}

TEST_CASE("policy: acted on from the decision on, by mode", "[policy]") {
  CHECK(actions(run("sccsuus", Mode::strict).tokens) == "aabbbbb");
  CHECK(actions(run("sccsuus", Mode::loose).tokens) == "aafffbb");
  CHECK(run("suu").decision.token->action == Action::block);
}

TEST_CASE("policy: the length of the run is an option", "[policy]") {
  CHECK(run("u", Mode::strict, 1).decision.position == 0);
  CHECK(run("uuu", Mode::strict, 4).decision.severity == Severity::safe);
  CHECK(run("uuuu", Mode::strict, 4).decision.position == 3);
}

TEST_CASE("policy: equals the published rule on random streams", "[policy]") {
  const std::uint32_t seed = 20260914;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  for (int n = 0; n < 2000; ++n) {
    std::string letters;
    const auto length = random() % 40;
    const auto n_kinds = 1 + random() % 3;
    for (std::size_t i = 0; i < length; ++i) letters += "scu"[random() % n_kinds];
    const Outcome out = run(letters);
    const auto [severity, position] = published_rule(tokens_of(letters));
    CAPTURE(letters);
    REQUIRE(out.decision.severity == (letters.empty() ? Severity::not_judged : severity));
    REQUIRE(out.decision.position.value_or(-1) == position);
  }
}

namespace {

std::string actions(const Policy& policy, std::vector<TokenVerdict> tokens) {
  (void)decide(policy, Role::assistant, tokens, false);
  return actions(tokens);
}

TokenVerdict token_with(float unsafe, float controversial, Category category = Category::violent) {
  TokenVerdict token;
  token.probabilities = {1.0F - unsafe - controversial, controversial, unsafe};
  token.severity = unsafe > 0.5F          ? Severity::unsafe
                   : controversial > 0.5F ? Severity::controversial
                                          : Severity::safe;
  token.category = category;
  token.source = VerdictSource::heads;
  token.is_settled = true;
  return token;
}

}  // namespace

TEST_CASE("policy: a decision says where, how long and why", "[policy]") {
  const Decision decision = run("sssuuu", Mode::strict, 3).decision;
  CHECK(decision.reason == DecisionReason::run);
  CHECK(decision.n_run_tokens == 3);
  CHECK(decision.run_byte_begin == 9);
  CHECK(decision.token->byte_end == 18);
  CHECK(decision.action == Action::block);
  CHECK(decision.ruling.action == Action::block);
  CHECK(decision.ruling.rule == Rule::severity);
  CHECK(decision.ruling.category == Category::violent);
  CHECK(decision.ruling.position == 5);
  CHECK(decision.ruling.byte_begin == 9);
  CHECK(decision.ruling.byte_end == 18);
  CHECK(decision.ruling.is_settled);
  CHECK(decision.ruling.policy_name == "default");
  CHECK(decision.ruling.policy_version == "1");
  CHECK(explain(decision) ==
        "Unsafe (Violent) at token 5, bytes 9 to 18: 3 in a row, P(Unsafe) 0.00, P(Controversial) 0.00; "
        "policy default: block (severity, Violent)");
  CHECK(explain(run("su").decision) == "Safe");
  CHECK(explain(run("").decision) == "not judged; there was nothing to judge");
  auto tokens = tokens_of("ss");
  tokens[1].source = VerdictSource::none;
  CHECK(explain(decide({}, Role::assistant, tokens, true)) ==
        "not judged; bytes 3 to 6 of the text were not judged");
  tokens = tokens_of("uu");
  tokens[1].is_settled = false;
  CHECK(explain(decide({}, Role::assistant, tokens, false))
            .starts_with("Unsafe, provisionally (Violent) at token 1"));
  CHECK(run("su").decision.reason == DecisionReason::none);
}

TEST_CASE("policy: thresholds take the severity's place where it comes to acting", "[policy]") {
  const auto with = [](std::optional<float> flag, std::optional<float> block, Mode mode = Mode::strict) {
    return test::policy([&](PolicySpec& spec) {
      spec.rules.mode = mode;
      test::each_category(spec.rules, [&](CategoryRule& rule) {
        rule.flag_threshold = flag;
        rule.block_threshold = block;
      });
    });
  };
  const auto pair = [](float unsafe, float controversial) {
    return std::vector<TokenVerdict>(2, token_with(unsafe, controversial));
  };
  // Strict: P(Unsafe) + P(Controversial); loose: P(Unsafe).
  CHECK(actions(with({}, 0.7F), pair(0.4F, 0.4F)) == "ab");
  CHECK(actions(with({}, 0.7F, Mode::loose), pair(0.4F, 0.4F)) == "aa");
  CHECK(actions(with(0.3F, 0.7F, Mode::loose), pair(0.4F, 0.4F)) == "af");
  CHECK(actions(with(0.3F, 0.7F), pair(0.2F, 0.0F)) == "aa");
  CHECK(actions(with(0.3F, {}), pair(0.9F, 0.0F)) == "af");
  // Most probably Unsafe, but not enough of it: it stays Unsafe, and is let pass.
  auto tokens = pair(0.6F, 0.0F);
  Decision decision = decide(with({}, 0.9F), Role::assistant, tokens, false);
  CHECK(decision.severity == Severity::unsafe);
  CHECK(decision.action == Action::allow);
  CHECK(decision.ruling.rule == Rule::below_threshold);
  CHECK(decision.ruling.score == 0.6F);
  // Most probably Safe, and blocked.
  tokens = pair(0.2F, 0.2F);
  decision = decide(with({}, 0.3F), Role::assistant, tokens, false);
  CHECK(decision.severity == Severity::safe);
  CHECK_FALSE(decision.position.has_value());
  CHECK(decision.action == Action::block);
  CHECK(decision.ruling.rule == Rule::threshold);
  CHECK(decision.ruling.score == 0.4F);
  // What flags and what blocks are two runs of the published rule, and one of the report's.
  const std::vector<TokenVerdict> mixed = {token_with(0.5F, 0), token_with(0.8F, 0)};
  CHECK(actions(with(0.4F, 0.7F), mixed) == "aa");
  const Policy report = test::policy([](PolicySpec& spec) {
    spec.rules.debounce.rule = RunRule::report;
    test::each_category(spec.rules, [](CategoryRule& rule) {
      rule.flag_threshold = 0.4F;
      rule.block_threshold = 0.7F;
    });
  });
  CHECK(actions(report, mixed) == "ab");
}

TEST_CASE("policy: categories can be off or held to a threshold of their own", "[policy]") {
  const Policy policy = test::policy([](PolicySpec& spec) {
    test::rule_of(spec.rules.response, Category::copyright_violation).unsafe = Action::allow;
    test::rule_of(spec.rules.response, Category::pii).block_threshold = 0.8F;
  });
  const auto ruling_of = [&](Role role, float unsafe, float controversial, Category category) {
    std::vector<TokenVerdict> tokens(2, token_with(unsafe, controversial, category));
    const Decision decision = decide(policy, role, tokens, false);
    CHECK(decision.severity == Severity::unsafe);
    return decision.ruling;
  };
  CHECK(ruling_of(Role::assistant, 0.9F, 0.0F, Category::violent).action == Action::block);
  const Ruling off = ruling_of(Role::assistant, 0.9F, 0.0F, Category::copyright_violation);
  CHECK(off.action == Action::allow);
  CHECK(off.rule == Rule::category_off);
  CHECK(off.category == Category::copyright_violation);
  CHECK(off.byte_end == 0);
  CHECK(ruling_of(Role::assistant, 0.7F, 0.0F, Category::pii).rule == Rule::below_threshold);
  CHECK(ruling_of(Role::assistant, 0.7F, 0.15F, Category::pii).action == Action::block);
  // They are the responses' rules.
  CHECK(ruling_of(Role::user, 0.9F, 0.0F, Category::copyright_violation).action == Action::block);
}

TEST_CASE("policy: a written verdict is ruled by all of its categories", "[policy]") {
  TokenVerdict token = token_with(0.9F, 0.0F, Category::copyright_violation);
  token.source = VerdictSource::written;
  const auto name = [&](Category category) {
    token.category_probabilities[static_cast<std::size_t>(category)] = 0.5F;
  };
  const auto ruling_of = [&](const auto& change) {
    const Policy policy = test::policy([&](PolicySpec& spec) { change(spec.rules.response); });
    std::vector<TokenVerdict> tokens = {token};
    const Decision decision = decide(policy, Role::assistant, tokens, true);
    CHECK(decision.severity == token.severity);
    return decision.ruling;
  };
  const auto no_copyright = [](RoleRules& rules) {
    test::rule_of(rules, Category::copyright_violation).unsafe = Action::allow;
  };
  name(Category::copyright_violation);
  CHECK(ruling_of(no_copyright).rule == Rule::category_off);
  name(Category::violent);
  CHECK(ruling_of(no_copyright).action == Action::block);
  CHECK(ruling_of(no_copyright).category == Category::violent);
  CHECK(ruling_of([](RoleRules&) {}).category == Category::copyright_violation);  // the first of two equal
  const auto lenient = [&](RoleRules& rules) {
    no_copyright(rules);
    test::rule_of(rules, Category::violent).block_threshold = 0.95F;
  };
  CHECK(ruling_of(lenient).action == Action::allow);
  // It says Safe and names none; a threshold of every category that is not off finds it harmful.
  token = token_with(0.0F, 0.4F);
  token.source = VerdictSource::written;
  CHECK(token.severity == Severity::safe);
  const Ruling found = ruling_of([](RoleRules& rules) {
    for (CategoryRule& rule : rules.categories) rule.flag_threshold = 0.3F;
    test::rule_of(rules, Category::violent) = {Action::allow, {}, {}, {}};
  });
  CHECK(found.action == Action::flag);
  CHECK(found.rule == Rule::threshold);
  CHECK_FALSE(found.category.has_value());
  // One that has none lets it pass: nobody knows which of them it would be for.
  const Ruling passed = ruling_of([](RoleRules& rules) {
    for (CategoryRule& rule : rules.categories) rule.flag_threshold = 0.3F;
    test::rule_of(rules, Category::violent) = {};
  });
  CHECK(passed.action == Action::allow);
  CHECK(passed.rule == Rule::safe);
}

TEST_CASE("policy: an action can be taken back, the ruling stays", "[policy]") {
  const auto with = [](std::optional<float> threshold) {
    return test::policy([&](PolicySpec& spec) {
      spec.rules.debounce.release_tokens = 3;
      spec.rules.debounce.release_threshold = threshold;
    });
  };
  CHECK(actions(with({}), tokens_of("suussuusssssuu")) == "aabbbbbbbaaaab");
  auto tokens = tokens_of("suusssss");
  const Decision decision = decide(with({}), Role::assistant, tokens, false);
  CHECK(decision.severity == Severity::unsafe);
  CHECK(decision.position == 2);
  CHECK(decision.action == Action::allow);
  CHECK(decision.ruling.action == Action::block);
  CHECK(decision.ruling.position == 2);
  // Tokens that are Safe, but not safe enough, do not count towards it.
  CHECK(actions(with(0.2F), {token_with(0.9F, 0), token_with(0.9F, 0), token_with(0.3F, 0),
                             token_with(0.3F, 0), token_with(0.3F, 0), token_with(0.1F, 0),
                             token_with(0.1F, 0), token_with(0.1F, 0)}) == "abbbbbba");
  // What is not judged is not let go.
  tokens = tokens_of("suusss");
  tokens.back().source = VerdictSource::none;
  CHECK(decide(with({}), Role::assistant, tokens, false).action == Action::block);
  tokens = tokens_of("suussss");
  tokens.back().source = VerdictSource::none;
  CHECK(decide(with({}), Role::assistant, tokens, false).action == Action::none);
}

TEST_CASE("policy: the end of a turn can count what it cuts off", "[policy]") {
  auto tokens = tokens_of("ssu");
  CHECK(decide(Policy(), Role::assistant, tokens, true).severity == Severity::safe);
  const Policy policy =
      test::policy([](PolicySpec& spec) { spec.rules.debounce.end_of_turn = EndOfTurn::count_open_run; });
  const auto decide_on = [&](bool has_ended) { return decide(policy, Role::assistant, tokens, has_ended); };
  CHECK(decide_on(false).severity == Severity::safe);
  CHECK(decide_on(false).action == Action::allow);
  const Decision decision = decide_on(true);
  CHECK(decision.severity == Severity::unsafe);
  CHECK(decision.position == 2);
  CHECK(decision.reason == DecisionReason::end_of_turn);
  CHECK(decision.action == Action::block);
  CHECK(decision.ruling.position == 2);
  CHECK(explain(decision).find("the turn ended in a run of 1") != std::string::npos);
  // It adds to an earlier decision only what is worse.
  tokens = tokens_of("uusc");
  CHECK(decide_on(true).position == 1);
  tokens = tokens_of("ccsu");
  CHECK(decide_on(true).severity == Severity::unsafe);
  tokens.clear();
  CHECK(decide_on(true).severity == Severity::not_judged);
}

TEST_CASE("policy: tokens that do not count, or were not judged, decide nothing", "[policy]") {
  const auto decide_on = [](std::vector<TokenVerdict>& tokens) {
    return decide(Policy(), Role::assistant, tokens, false);
  };
  auto tokens = tokens_of("uuuuuu");
  tokens[1].counts = false;
  tokens[3].source = VerdictSource::none;
  CHECK(decide_on(tokens).position == 2);
  // A token that does not count is passed over; one that was not judged ends the run.
  tokens = tokens_of("suxu");
  tokens[2].counts = false;
  CHECK(decide_on(tokens).position == 3);
  tokens[2].counts = true;
  tokens[2].source = VerdictSource::none;
  CHECK(decide_on(tokens).severity == Severity::not_judged);
  // So the token that ends a model's turn does not let off what stands before it.
  const Policy policy =
      test::policy([](PolicySpec& spec) { spec.rules.debounce.end_of_turn = EndOfTurn::count_open_run; });
  tokens = tokens_of("suss");
  tokens[2].counts = tokens[3].counts = false;
  CHECK(decide(policy, Role::assistant, tokens, true).position == 1);
  CHECK(decide(policy, Role::assistant, tokens, true).n_run_tokens == 1);
  // A Gen checkpoint's verdict stands alone, and is not repeated by what it is carried over.
  tokens = tokens_of("suuu");
  for (TokenVerdict& token : tokens) token.source = VerdictSource::carried;
  CHECK(decide_on(tokens).severity == Severity::not_judged);
  tokens[2].source = VerdictSource::written;
  CHECK(decide_on(tokens).position == 2);
  CHECK(decide_on(tokens).reason == DecisionReason::written);
}

TEST_CASE("policy: what was not judged is never Safe", "[policy]") {
  CHECK(TokenVerdict().severity == Severity::not_judged);
  CHECK(TokenVerdict().source == VerdictSource::none);
  CHECK_FALSE(TokenVerdict().is_settled);
  CHECK(Decision().severity == Severity::not_judged);
  CHECK_FALSE(Decision().is_complete);
  CHECK(Verdict().severity == Severity::not_judged);
  CHECK(TokenVerdict().action == Action::none);

  const auto decision_of = [](const std::string& letters, const std::vector<VerdictSource>& sources) {
    std::vector<TokenVerdict> tokens = tokens_of(letters);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i].source = sources[i];
    return decide(Policy(), Role::assistant, tokens, true);
  };
  using enum VerdictSource;
  struct Case {
    std::string letters;
    std::vector<VerdictSource> sources;
    Severity severity;
    std::int64_t begin, end;
  };
  const std::vector<Case> cases = {
      {"sss", {heads, heads, heads}, Severity::safe, 0, 0},
      {"sss", {heads, none, none}, Severity::not_judged, 3, 9},
      {"sss", {none, heads, heads}, Severity::not_judged, 0, 9},
      {"uus", {heads, heads, none}, Severity::unsafe, 6, 9},  // what is bad stays bad
      {"sss", {none, carried, written}, Severity::safe, 0, 0},
      {"sss", {none, written, carried}, Severity::not_judged, 6, 9},
      {"sss", {written, carried, carried}, Severity::not_judged, 3, 9},
      {"usu", {written, carried, written}, Severity::unsafe, 0, 0},
  };
  for (const Case& c : cases) {
    const Decision decision = decision_of(c.letters, c.sources);
    CAPTURE(c.letters, c.begin);
    CHECK(decision.severity == c.severity);
    CHECK(decision.is_complete == (c.begin == c.end));
    CHECK(decision.action == (c.severity == Severity::not_judged ? Action::none
                              : c.severity == Severity::safe     ? Action::allow
                                                                 : Action::block));
    CHECK(decision.ruling.action == decision.action);
    CHECK(decision.unjudged_begin == c.begin);
    CHECK(decision.unjudged_end == c.end);
  }
  // Tokens that do not count are not judged either: thinking that is skipped is no answer.
  auto skipped = tokens_of("ss");
  for (TokenVerdict& token : skipped) token.counts = false;
  CHECK(decide(Policy(), Role::assistant, skipped, true).severity == Severity::not_judged);
}
