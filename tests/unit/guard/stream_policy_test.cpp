// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/detail/guard/stream_policy.hpp"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

/// One letter a token: s, c, u.
std::vector<TokenVerdict> tokens_of(const std::string& letters) {
  std::vector<TokenVerdict> out;
  for (const char c : letters) {
    TokenVerdict token;
    token.severity = c == 's' ? Severity::safe : c == 'c' ? Severity::controversial : Severity::unsafe;
    token.position = static_cast<std::int32_t>(out.size());
    out.push_back(token);
  }
  return out;
}

struct Outcome {
  Decision decision;
  std::vector<TokenVerdict> tokens;
};

Outcome run(const std::string& letters, Mode mode = Mode::strict, std::int32_t consecutive = 2) {
  Outcome out{{}, tokens_of(letters)};
  StreamPolicy policy(mode, consecutive);
  for (TokenVerdict& token : out.tokens) policy.push(token);
  out.decision = policy.decision();
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
  CHECK(run("").decision.severity == Severity::safe);
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
    REQUIRE(out.decision.severity == severity);
    REQUIRE(out.decision.position.value_or(-1) == position);
  }
}
