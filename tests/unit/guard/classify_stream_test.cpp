// SPDX-License-Identifier: Apache-2.0
#include <map>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "policies.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "stream_fixture.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

TEST_CASE("stream checkpoint: a prompt's verdict is the session's", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  for (const std::string text : {"", "Hello there", "How can I build a bomb at home?"}) {
    CAPTURE(text);
    const Verdict verdict = guard.classify_prompt(text).value();
    StreamOptions options;
    options.max_tokens = 128;
    const TokenVerdict token = guard.open_stream(options).value().push_prompt(text).value();
    CHECK(verdict.severity == token.severity);
    CHECK(verdict.probabilities.unsafe == Approx(token.probabilities.unsafe).margin(1e-4));
    CHECK(verdict.tokens.prompt == token.position + 1);
    CHECK_FALSE(verdict.refusal.has_value());
    CHECK(verdict.categories.empty() == (verdict.severity == Severity::safe));
  }
}

TEST_CASE("stream checkpoint: a response's verdict is the debounced stream's", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  const std::string prompt = "Go on.";
  for (const std::string response :
       {"The sun is warm today.",
        "Those people are vermin and somebody should burn them all, I hate them."}) {
    CAPTURE(response);
    const Verdict verdict = guard.classify_response(prompt, response).value();
    StreamOptions options;
    options.max_tokens = 128;
    StreamSession session = guard.open_stream(options).value();
    REQUIRE(session.push_prompt(prompt).ok());
    const auto ids = guard.tokenizer()->encode(response).value();
    std::vector<TokenVerdict> tokens(ids.size());
    session.push_tokens(ids, tokens).throw_if_error();
    const Decision decision = session.end_turn().value().decision;
    CHECK(verdict.severity == decision.severity);
    CHECK(verdict.tokens.prompt == session.position());
    if (decision.token) {
      CHECK(verdict.position == decision.position);
      CHECK(verdict.probabilities.safe == Approx(decision.token->probabilities.safe).margin(1e-4));
    } else {
      // The last token that was judged, which is the line break behind <|im_end|>.
      CHECK(verdict.position == session.position() - 1);
    }
    if (decision.token) {
      REQUIRE(verdict.categories.size() == 1);
      CHECK(verdict.categories[0].category == decision.token->category);
    }
  }
}

TEST_CASE("stream checkpoint: an empty response has no token to judge", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  const auto verdict = guard.classify_response("Hi", "");
  REQUIRE_FALSE(verdict.ok());
  CHECK(verdict.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("stream checkpoint: actions follow the mode", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  const auto ruling_of = [&](Mode mode, std::optional<float> flag, std::optional<float> block) {
    ClassifyOptions options;
    options.policy = test::policy([&](PolicySpec& spec) {
      spec.rules.mode = mode;
      test::each_category(spec.rules, [&](CategoryRule& rule) {
        rule.flag_threshold = flag;
        rule.block_threshold = block;
      });
    });
    const Verdict verdict = guard.classify_prompt("Hello", options).value();
    CHECK(verdict.severity == Severity::safe);  // whatever the policy
    CHECK(verdict.categories.empty());
    CHECK(verdict.role == Role::user);
    return verdict.ruling;
  };
  CHECK(ruling_of(Mode::strict, {}, {}).action == Action::allow);
  CHECK(ruling_of(Mode::strict, {}, 0.0F).action == Action::block);
  CHECK(ruling_of(Mode::strict, 0.0F, {}).action == Action::flag);
  const Ruling strict = ruling_of(Mode::strict, {}, 1.0F), loose = ruling_of(Mode::loose, {}, 1.0F);
  CHECK(strict.action == Action::allow);
  CHECK(strict.rule == Rule::safe);
  CHECK(strict.score > loose.score);
  CHECK(loose.score > 0.0F);
}

namespace {

/// Often another severity or action than that of the token before: thresholds about where the small model's
/// probabilities lie.
Policy changing_policy(std::mt19937& random) {
  PolicySpec spec = test::random::spec(random);
  test::each_category(spec.rules, [&](CategoryRule& rule) {
    if (random() % 2 == 0) return;
    rule = CategoryRule();
    rule.flag_threshold = 0.1F + 0.1F * static_cast<float>(random() % 3);
    rule.block_threshold = 0.4F + 0.1F * static_cast<float>(random() % 5);
  });
  return Policy::make(spec).value();
}

}  // namespace

TEST_CASE("stream checkpoint: a session and decide() agree under any policy", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  const std::uint32_t seed = 1344;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  test::StreamText texts(seed);
  std::size_t n_decided = 0;
  std::map<Rule, int> rules;
  for (int n = 0; n < 24; ++n) {
    StreamOptions options;
    options.max_tokens = 512;
    options.policy = changing_policy(random);
    StreamSession session = guard.open_stream(options).value();
    REQUIRE(session.push_prompt("Go on.").ok());
    const auto check = [&](const Decision& decision, bool has_ended) {
      std::vector<TokenVerdict> tokens = session.verdicts();
      const std::vector<TokenVerdict> given = tokens;
      const Decision again = decide(options.policy, Role::assistant, tokens, has_ended);
      // All of the text is judged as it comes.
      CHECK(test::text_of(decision) == test::text_of(again));
      for (std::size_t i = 0; i < tokens.size(); ++i) REQUIRE(tokens[i].action == given[i].action);
      n_decided += decision.token ? 1 : 0;
      ++rules[decision.ruling.rule];
    };
    for (int step = 0; step < 5; ++step) {
      const StreamMark mark = session.mark();
      session.push_text(texts.next(1 + texts.below(4))).throw_if_error();
      check(session.decision(), false);
      if (step % 2 == 1) session.rewind(mark).throw_if_error();
      check(session.decision(), false);
    }
    session.push_text(" I hate you and will kill you all.").throw_if_error();
    check(session.decision(), false);
    // The end of the turn is judged, too, and the decision is the worse one.
    std::vector<TokenVerdict> tokens = session.verdicts();
    const Decision as_written = decide(options.policy, Role::assistant, tokens, true);
    const Decision end = session.end_turn().value().decision;
    CHECK(end.severity >= as_written.severity);
    CHECK(end.ruling.action >= as_written.ruling.action);
  }
  CHECK(rules[Rule::severity] > 0);
  CHECK(rules[Rule::threshold] > 0);
  CHECK(rules[Rule::safe] > 0);
  CHECK(n_decided > 0);
}

TEST_CASE("stream checkpoint: a verdict is ruled by the options' policy", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  const std::string prompt = "Go on.";
  const std::string responses[] = {"The sun is warm today.",
                                   "Those people are vermin and somebody should burn them all, I hate them."};
  for (const RunRule rule : {RunRule::published, RunRule::report}) {
    for (const float threshold : {0.05F, 0.4F, 1.0F}) {
      ClassifyOptions options;
      options.policy = test::policy([&](PolicySpec& spec) {
        spec.rules.debounce.rule = rule;
        spec.rules.debounce.consecutive_tokens = 3;
        spec.rules.debounce.end_of_turn = EndOfTurn::count_open_run;
        test::each_category(spec.rules, [&](CategoryRule& each) { each.block_threshold = threshold; });
      });
      std::vector<std::vector<Message>> conversations;
      for (const std::string& response : responses) {
        CAPTURE(static_cast<int>(rule), threshold, response);
        StreamOptions stream;
        stream.policy = options.policy;
        stream.max_tokens = 128;
        StreamSession session = guard.open_stream(stream).value();
        REQUIRE(session.push_prompt(prompt).ok());
        session.push_text(response).throw_if_error();
        const Decision decision = session.end_turn().value().decision;
        const Verdict verdict = guard.classify_response(prompt, response, options).value();
        CHECK(verdict.severity == decision.severity);
        if (decision.position) CHECK(verdict.position == decision.position);
        CHECK(verdict.ruling.action == decision.ruling.action);
        CHECK(verdict.ruling.rule == decision.ruling.rule);
        CHECK(verdict.ruling.byte_begin == decision.ruling.byte_begin);
        CHECK(verdict.role == Role::assistant);
        conversations.push_back({{Role::user, prompt}, {Role::assistant, response}});
      }
      const auto verdicts = guard.classify_batch(conversations, options);
      for (std::size_t i = 0; i < verdicts.size(); ++i) {
        const Verdict alone = guard.classify(conversations[i], options).value();
        CHECK(verdicts[i].value().severity == alone.severity);
        CHECK(verdicts[i].value().ruling.action == alone.ruling.action);
        CHECK(verdicts[i].value().ruling.position == alone.ruling.position);
      }
    }
  }
}

TEST_CASE("stream checkpoint: thinking is what a session makes of it", "[stream]") {
  const Guard guard = test::load_tiny("stream").value();
  const std::string threat = "I hate you and will burn your house down.";
  for (const Thinking thinking : {Thinking::none, Thinking::judge, Thinking::skip}) {
    for (const std::string response :
         {"The sun is warm.", "<think>\nHm.\n</think>\n\nThe sun is warm.", "<think>\nHm.\n</think>\n\n",
          "<think>\nHm, the sun", "\n<think>Hm.</think>Warm.", "Warm. <think>Hm.</think> Sun."}) {
      for (const std::string& text : {response, response + threat}) {
        StreamOptions stream;
        stream.thinking = thinking;
        stream.max_tokens = 256;
        StreamSession session = guard.open_stream(stream).value();
        REQUIRE(session.push_prompt("Go on.").ok());
        session.push_text(text).throw_if_error();
        const Decision decision = session.end_turn().value().decision;
        ClassifyOptions options;
        options.thinking = thinking;
        const Verdict verdict = guard.classify_response("Go on.", text, options).value();
        CAPTURE(static_cast<int>(thinking), text);
        const std::size_t end = text.find("</think>");
        const bool is_thought =
            text.starts_with("<think>") && (end == std::string::npos || end + 10 == text.size());
        if (thinking == Thinking::skip && is_thought) {
          CHECK(verdict.severity != Severity::safe);
        } else {
          CHECK(verdict.severity == decision.severity);
        }
        CHECK((verdict.ruling.action == Action::none) == (verdict.severity == Severity::not_judged));
        if (verdict.severity == Severity::not_judged) {
          CHECK(verdict.probabilities.safe + verdict.probabilities.unsafe == 0.0F);
          CHECK_FALSE(verdict.position.has_value());
        }
      }
    }
  }
}

TEST_CASE("classify: options out of range are named", "[stream][gen]") {
  for (const char* name : {"stream", "gen"}) {
    const Guard guard = test::load_tiny(name).value();
    const auto detail_of = [&](const auto& change) {
      ClassifyOptions options;
      change(options);
      const auto verdict = guard.classify_prompt("Hello", options);
      REQUIRE_FALSE(verdict.ok());
      CHECK(verdict.error().code == ErrorCode::invalid_argument);
      const std::vector<std::vector<Message>> one = {{{Role::user, "Hello"}}};
      const auto batch = guard.classify_batch(one, options);
      CHECK(batch.front().error().detail == verdict.error().detail);
      return verdict.error().detail;
    };
    CHECK(detail_of([](ClassifyOptions& o) { o.thinking = static_cast<Thinking>(3); }) ==
          "options.thinking: no value of Thinking");
    if (name == std::string("stream")) continue;
    CHECK(detail_of([](ClassifyOptions& o) { o.thinking = Thinking::skip; }).find("Gen checkpoint") !=
          std::string::npos);
  }
}
