// SPDX-License-Identifier: Apache-2.0
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/decision_policy.hpp"

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
  DecisionPolicy policy;
  policy.mode = mode;
  policy.consecutive_tokens = consecutive;
  Outcome out{{}, tokens_of(letters)};
  out.decision = decide(policy, out.tokens, false);
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

TEST_CASE("policy: flagged from the decision on, by mode", "[policy]") {
  const auto flags = [](const Outcome& out) {
    std::string text;
    for (const TokenVerdict& token : out.tokens) text += token.flagged ? '1' : '0';
    return text;
  };
  CHECK(flags(run("sccsuus", Mode::strict)) == "0011111");
  CHECK(flags(run("sccsuus", Mode::loose)) == "0000011");
  CHECK(run("suu").decision.token->flagged);
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

std::string flags(const DecisionPolicy& policy, std::vector<TokenVerdict> tokens) {
  (void)decide(policy, tokens, false);
  std::string text;
  for (const TokenVerdict& token : tokens) text += token.flagged ? '1' : '0';
  return text;
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
  CHECK(decision.is_flagged);
  CHECK(explain(decision) ==
        "Unsafe (Violent) at token 5, bytes 9 to 18: 3 in a row, P(Unsafe) 0.00, P(Controversial) 0.00");
  CHECK(explain(run("su").decision) == "Safe");
  CHECK(explain(run("").decision) == "not judged; there was nothing to judge");
  auto tokens = tokens_of("ss");
  tokens[1].source = VerdictSource::none;
  CHECK(explain(decide({}, tokens, true)) == "not judged; bytes 3 to 6 of the text were not judged");
  tokens = tokens_of("uu");
  tokens[1].is_settled = false;
  CHECK(explain(decide({}, tokens, false)).starts_with("Unsafe, provisionally (Violent) at token 1"));
  CHECK(run("su").decision.reason == DecisionReason::none);
}

TEST_CASE("policy: thresholds take the place of the most probable severity", "[policy]") {
  DecisionPolicy policy;
  CHECK(counted_severity(policy, token_with(0.4F, 0.3F)) == Severity::safe);
  policy.unsafe_threshold = 0.35F;
  CHECK(counted_severity(policy, token_with(0.4F, 0.3F)) == Severity::unsafe);
  CHECK(counted_severity(policy, token_with(0.3F, 0.3F)) == Severity::safe);
  policy.controversial_threshold = 0.6F;
  CHECK(counted_severity(policy, token_with(0.31F, 0.3F)) == Severity::controversial);
  policy.unsafe_threshold = 0.9F;  // most probably Unsafe, but not enough of it: still harmful
  CHECK(counted_severity(policy, token_with(0.7F, 0.0F)) == Severity::controversial);
}

TEST_CASE("policy: categories can be left out or held to a threshold of their own", "[policy]") {
  DecisionPolicy policy;
  policy.category_counts[static_cast<std::size_t>(Category::copyright_violation)] = false;
  policy.category_thresholds[static_cast<std::size_t>(Category::pii)] = 0.8F;
  CHECK(counted_severity(policy, token_with(0.9F, 0.0F)) == Severity::unsafe);
  CHECK(counted_severity(policy, token_with(0.9F, 0.0F, Category::copyright_violation)) == Severity::safe);
  CHECK(counted_severity(policy, token_with(0.7F, 0.0F, Category::pii)) == Severity::safe);
  CHECK(counted_severity(policy, token_with(0.7F, 0.15F, Category::pii)) == Severity::unsafe);
}

TEST_CASE("policy: a written verdict counts by all of its categories", "[policy]") {
  DecisionPolicy policy;
  policy.category_counts[static_cast<std::size_t>(Category::copyright_violation)] = false;
  TokenVerdict token = token_with(0.9F, 0.0F, Category::copyright_violation);
  token.source = VerdictSource::written;
  const auto name = [&](Category category) {
    token.category_probabilities[static_cast<std::size_t>(category)] = 0.5F;
  };
  name(Category::copyright_violation);
  CHECK(counted_severity(policy, token) == Severity::safe);
  name(Category::violent);
  CHECK(counted_severity(policy, token) == Severity::unsafe);
  policy.category_thresholds[static_cast<std::size_t>(Category::violent)] = 0.95F;
  CHECK(counted_severity(policy, token) == Severity::safe);
  // It says Safe and names none; a threshold finds it harmful.
  token = token_with(0.0F, 0.4F);
  token.source = VerdictSource::written;
  policy.controversial_threshold = 0.3F;
  policy.category_counts[static_cast<std::size_t>(Category::violent)] = false;
  CHECK(counted_severity(policy, token) == Severity::controversial);
}

TEST_CASE("policy: a flag can be taken back, the decision stays", "[policy]") {
  DecisionPolicy policy;
  policy.release_tokens = 3;
  CHECK(flags(policy, tokens_of("suussuusssssuu")) == "00111111100001");
  auto tokens = tokens_of("suusssss");
  const Decision decision = decide(policy, tokens, false);
  CHECK(decision.severity == Severity::unsafe);
  CHECK(decision.position == 2);
  CHECK_FALSE(decision.is_flagged);
  // Tokens that are Safe, but not safe enough, do not count towards it.
  policy.release_threshold = 0.2F;
  CHECK(flags(policy, {token_with(0.9F, 0), token_with(0.9F, 0), token_with(0.3F, 0), token_with(0.3F, 0),
                       token_with(0.3F, 0), token_with(0.1F, 0), token_with(0.1F, 0), token_with(0.1F, 0)}) ==
        "01111110");
}

TEST_CASE("policy: the end of a turn can count what it cuts off", "[policy]") {
  DecisionPolicy policy;
  auto tokens = tokens_of("ssu");
  CHECK(decide(policy, tokens, true).severity == Severity::safe);
  policy.end_of_turn = EndOfTurn::count_open_run;
  CHECK(decide(policy, tokens, false).severity == Severity::safe);
  const Decision decision = decide(policy, tokens, true);
  CHECK(decision.severity == Severity::unsafe);
  CHECK(decision.position == 2);
  CHECK(decision.reason == DecisionReason::end_of_turn);
  CHECK(explain(decision).find("the turn ended in a run of 1") != std::string::npos);
  // It adds to an earlier decision only what is worse.
  tokens = tokens_of("uusc");
  CHECK(decide(policy, tokens, true).position == 1);
  tokens = tokens_of("ccsu");
  CHECK(decide(policy, tokens, true).severity == Severity::unsafe);
  tokens.clear();
  CHECK(decide(policy, tokens, true).severity == Severity::not_judged);
}

TEST_CASE("policy: tokens that do not count, or were not judged, decide nothing", "[policy]") {
  DecisionPolicy policy;
  auto tokens = tokens_of("uuuuuu");
  tokens[1].counts = false;
  tokens[3].source = VerdictSource::none;
  CHECK(decide(policy, tokens, false).position == 2);
  // A token that does not count is passed over; one that was not judged ends the run.
  tokens = tokens_of("suxu");
  tokens[2].counts = false;
  CHECK(decide(policy, tokens, false).position == 3);
  tokens[2].counts = true;
  tokens[2].source = VerdictSource::none;
  CHECK(decide(policy, tokens, false).severity == Severity::not_judged);
  // So the token that ends a model's turn does not let off what stands before it.
  policy.end_of_turn = EndOfTurn::count_open_run;
  tokens = tokens_of("suss");
  tokens[2].counts = tokens[3].counts = false;
  CHECK(decide(policy, tokens, true).position == 1);
  CHECK(decide(policy, tokens, true).n_run_tokens == 1);
  policy.end_of_turn = EndOfTurn::ignore_open_run;
  // A Gen checkpoint's verdict stands alone, and is not repeated by what it is carried over.
  tokens = tokens_of("suuu");
  for (TokenVerdict& token : tokens) token.source = VerdictSource::carried;
  CHECK(decide(policy, tokens, false).severity == Severity::not_judged);
  tokens[2].source = VerdictSource::written;
  CHECK(decide(policy, tokens, false).position == 2);
  CHECK(decide(policy, tokens, false).reason == DecisionReason::written);
}

TEST_CASE("policy: what was not judged is never Safe", "[policy]") {
  CHECK(TokenVerdict().severity == Severity::not_judged);
  CHECK(TokenVerdict().source == VerdictSource::none);
  CHECK_FALSE(TokenVerdict().is_settled);
  CHECK(Decision().severity == Severity::not_judged);
  CHECK_FALSE(Decision().is_complete);
  CHECK(Verdict().severity == Severity::not_judged);
  CHECK(Verdict().action == Action::none);
  CHECK(counted_severity(DecisionPolicy(), TokenVerdict()) == Severity::not_judged);

  const auto decision_of = [](const std::string& letters, const std::vector<VerdictSource>& sources) {
    std::vector<TokenVerdict> tokens = tokens_of(letters);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i].source = sources[i];
    return decide(DecisionPolicy(), tokens, true);
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
    CHECK(decision.unjudged_begin == c.begin);
    CHECK(decision.unjudged_end == c.end);
  }
  // Tokens that do not count are not judged either: thinking that is skipped is no answer.
  auto skipped = tokens_of("ss");
  for (TokenVerdict& token : skipped) token.counts = false;
  CHECK(decide(DecisionPolicy(), skipped, true).severity == Severity::not_judged);
}

TEST_CASE("policy: fields out of range are named", "[policy]") {
  const auto detail = [](const auto& change) {
    DecisionPolicy policy;
    change(policy);
    const Status status = check(policy);
    return status.ok() ? std::string() : status.error().detail;
  };
  CHECK(detail([](DecisionPolicy&) {}).empty());
  CHECK(detail([](DecisionPolicy& p) { p.mode = static_cast<Mode>(2); }) == "policy.mode: no value of Mode");
  CHECK(detail([](DecisionPolicy& p) { p.run_rule = static_cast<RunRule>(2); }) ==
        "policy.run_rule: no value of RunRule");
  CHECK(detail([](DecisionPolicy& p) { p.end_of_turn = static_cast<EndOfTurn>(-1); }) ==
        "policy.end_of_turn: no value of EndOfTurn");
  CHECK(detail([](DecisionPolicy& p) { p.consecutive_tokens = 0; }).find("consecutive_tokens") !=
        std::string::npos);
  CHECK(detail([](DecisionPolicy& p) { p.release_tokens = -1; }).find("release_tokens") != std::string::npos);
  CHECK(detail([](DecisionPolicy& p) { p.unsafe_threshold = 1.5F; }).find("unsafe_threshold") !=
        std::string::npos);
  CHECK(detail([](DecisionPolicy& p) { p.release_threshold = -0.1F; }).find("release_threshold") !=
        std::string::npos);
  CHECK(detail([](DecisionPolicy& p) {
          p.category_thresholds[2] = std::nanf("");
        }).find("category_thresholds") != std::string::npos);
}
