// SPDX-License-Identifier: Apache-2.0
// Phrases that decide before the model does, in calls and in streams.
#include <random>
#include <string>
#include <vector>

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

Policy list_policy(std::vector<std::string> deny, std::vector<std::string> allow = {},
                   const Folding& folding = {}, bool judges_copy = false) {
  PolicySpec spec;
  spec.name = "lists";
  spec.version = "7";
  spec.lists = {std::move(deny), std::move(allow), folding, judges_copy};
  Result<Policy> policy = Policy::make(std::move(spec));
  INFO((policy.ok() ? std::string() : policy.error().detail));
  REQUIRE(policy.ok());
  return *std::move(policy);
}

Guard load(const char* name) { return test::load_tiny(name).value(); }

StreamSession open(const Guard& guard, const Policy& policy) {
  StreamOptions options;
  options.policy = policy;
  options.gen_interval_tokens = 4;
  return guard.open_stream(options).value();
}

void check_denied(const Ruling& ruling, std::int32_t phrase, std::int64_t begin, std::int64_t end,
                  bool is_settled) {
  CHECK(ruling.action == Action::block);
  CHECK(ruling.rule == Rule::deny_list);
  CHECK(ruling.phrase == phrase);
  CHECK(ruling.byte_begin == begin);
  CHECK(ruling.byte_end == end);
  CHECK(ruling.is_settled == is_settled);
  CHECK(ruling.policy_name == "lists");
  CHECK(ruling.policy_version == "7");
}

Policy xyzzy_policy() { return list_policy({"xyzzy", "sex"}, {"xyzzy plugh"}); }

}  // namespace

TEST_CASE("lists: a policy compiles its lists", "[guard]") {
  PolicySpec spec;
  spec.lists.deny = {"a b", "A  B"};
  const auto policy = Policy::make(spec);
  REQUIRE_FALSE(policy.ok());
  CHECK(policy.error().code == ErrorCode::invalid_argument);
  CHECK(policy.error().detail.find("lists.deny[1]") != std::string::npos);
}

TEST_CASE("lists: streams find phrases across pieces, and take them back", "[guard]") {
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = load(name);
    StreamSession session = open(guard, xyzzy_policy());
    REQUIRE(session.push_prompt("Hello!").ok());
    CHECK(session.prompt_decision().ruling.rule != Rule::deny_list);
    REQUIRE(session.push_text("Well, xy").ok());
    CHECK(session.decision().ruling.rule != Rule::deny_list);
    const StreamMark before = session.mark();
    REQUIRE(session.push_text("zzy").ok());
    check_denied(session.decision().ruling, 0, 6, 11, false);
    CHECK(session.decision().action == Action::block);
    CHECK(session.verdicts(0).back().action == Action::block);
    StreamSession fork = session.fork().value();
    REQUIRE(session.push_text(" plugh").ok());  // allowed
    CHECK(session.decision().ruling.rule != Rule::deny_list);
    REQUIRE(fork.push_text(", and so on and on. ").ok());
    check_denied(fork.decision().ruling, 0, 6, 11, true);
    REQUIRE(session.rewind(before).ok());
    CHECK(session.decision().ruling.rule != Rule::deny_list);
    REQUIRE(session.push_text("z").ok());
    CHECK(session.decision().ruling.rule != Rule::deny_list);
    REQUIRE(session.push_text("zy").ok());
    const TurnVerdict end = session.end_turn().value();
    check_denied(end.decision.ruling, 0, 6, 11, true);
    CHECK(end.decision.action == Action::block);
    // Back into the turn that is over.
    REQUIRE(session.rewind(before).ok());
    CHECK(session.decision().ruling.rule != Rule::deny_list);
    REQUIRE(session.push_text("zzy").ok());
    check_denied(session.decision().ruling, 0, 6, 11, false);
    REQUIRE(session.rewind_to_byte(3).ok());
    CHECK(session.decision().ruling.rule != Rule::deny_list);
  }
}

TEST_CASE("lists: a user's turn, however it comes", "[guard]") {
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = load(name);
    StreamSession session = open(guard, xyzzy_policy());
    const TokenVerdict prompt = session.push_prompt("say xyzzy").value();
    CHECK(prompt.action == Action::block);
    CHECK(prompt.source != VerdictSource::none);  // the model judged it all the same
    check_denied(session.prompt_decision().ruling, 0, 4, 9, true);
    CHECK(session.decision().ruling.rule != Rule::deny_list);

    StreamSession live = open(guard, xyzzy_policy());
    REQUIRE(live.begin_turn(Role::user).ok());
    REQUIRE(live.push_text("say xyz").ok());
    REQUIRE(live.push_text("zy").ok());
    check_denied(live.decision().ruling, 0, 4, 9, false);
    const TurnVerdict turn = live.end_turn().value();
    check_denied(turn.decision.ruling, 0, 4, 9, true);
    REQUIRE(turn.prompt);
    CHECK(turn.prompt->action == Action::block);
  }
}

TEST_CASE("lists: ids are read as the text that they spell", "[guard]") {
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = load(name);
    StreamSession session = open(guard, xyzzy_policy());
    REQUIRE(session.push_prompt("Hello!").ok());
    const std::vector<TokenId> ids = guard.tokenizer()->encode("Well, xyzzy it is").value();
    std::vector<TokenVerdict> out(ids.size());
    for (std::size_t i = 0; i < ids.size(); ++i)
      REQUIRE(session.push_tokens({&ids[i], 1}, {&out[i], 1}).ok());
    CHECK(session.turn_bytes() == 17);
    CHECK(out.front().action != Action::block);
    CHECK(out.back().action == Action::block);
    const Decision decision = session.decision();
    CHECK(decision.ruling.rule == Rule::deny_list);
    CHECK(decision.ruling.byte_begin == 6);
    REQUIRE(decision.ruling.position);
    CHECK(session.rewind_to_byte(6).ok());
    CHECK(session.decision().ruling.rule != Rule::deny_list);
  }
}

TEST_CASE("lists: a restored turn is not looked at until it goes on", "[guard]") {
  const Guard guard = load("stream");
  StreamSession session = open(guard, xyzzy_policy());
  const std::vector<Message> messages = {{Role::user, "hi"}, {Role::assistant, "\n\nsay xyzzy"}};
  REQUIRE(session.restore(messages).ok());
  CHECK(session.decision().ruling.rule != Rule::deny_list);
}

TEST_CASE("lists: the decision on a random walk is that on its text", "[guard]") {
  constexpr unsigned kSeed = 1505;
  std::mt19937 random(kSeed);
  const Guard guard = load("stream");
  const Policy policy = list_policy({"ab", "b c"}, {"ab ab"});
  for (int i = 0; i < q3g_test::iterations(16); ++i) {
    StreamSession session = open(guard, policy);
    REQUIRE(session.push_prompt("Hello!").ok());
    std::string text;
    for (int k = 0; k < 24; ++k) {
      if (random() % 4 == 0 && !text.empty()) {
        text.resize(random() % text.size());
        REQUIRE(session.rewind_to_byte(static_cast<std::int64_t>(text.size())).ok());
      } else {
        std::string piece;
        for (std::size_t n = 1 + random() % 3; n > 0; --n) piece += "ab c"[random() % 4];
        text += piece;
        REQUIRE(session.push_text(piece).ok());
      }
      // The same text in one piece.
      StreamSession whole = open(guard, policy);
      REQUIRE(whole.push_prompt("Hello!").ok());
      if (!text.empty()) REQUIRE(whole.push_text(text).ok());
      const Ruling is = session.decision().ruling, expected = whole.decision().ruling;
      CAPTURE(kSeed, i, k, text);
      REQUIRE((is.rule == Rule::deny_list) == (expected.rule == Rule::deny_list));
      REQUIRE(is.phrase == expected.phrase);
      if (is.phrase < 0) continue;
      REQUIRE(is.byte_begin == expected.byte_begin);
      REQUIRE(is.byte_end == expected.byte_end);
    }
  }
}

TEST_CASE("lists: decide() needs the text, and finds what a call would", "[guard]") {
  Verdict verdict;
  verdict.severity = Severity::safe;
  verdict.probabilities.safe = 1;
  CHECK_FALSE(decide(xyzzy_policy(), verdict).ok());
  CHECK(decide(xyzzy_policy(), verdict, "harmless").value().rule == Rule::safe);
  check_denied(decide(xyzzy_policy(), verdict, "say xyzzy").value(), 0, 4, 9, true);
  CHECK(decide(xyzzy_policy(), verdict, "say xyzzy plugh").value().rule == Rule::safe);
}

TEST_CASE("lists: a denied message is decided without the model", "[guard]") {
  for (const char* name : {"stream", "gen"}) {
    CAPTURE(name);
    const Guard guard = load(name);
    ClassifyOptions options;
    options.policy = xyzzy_policy();
    const Verdict denied = guard.classify_prompt("say xyzzy", options).value();
    CHECK(denied.severity == Severity::not_judged);
    CHECK(denied.tokens.prompt == 0);
    CHECK(denied.role == Role::user);
    check_denied(denied.ruling, 0, 4, 9, true);
    const Verdict stored = guard.classify_prompt("say xyzzy").value();
    CHECK(stored.severity != Severity::not_judged);
    const std::vector<std::vector<Message>> batch = {{{Role::user, "Hello!"}},
                                                     {{Role::user, "hi"}, {Role::assistant, "XYZZY."}},
                                                     {{Role::user, "xyzzy plugh"}}};
    const auto verdicts = guard.classify_batch(batch, options);
    CHECK(verdicts[0].value().severity != Severity::not_judged);
    check_denied(verdicts[1].value().ruling, 0, 0, 5, true);
    CHECK(verdicts[1].value().role == Role::assistant);
    CHECK(verdicts[2].value().severity != Severity::not_judged);
  }
}
