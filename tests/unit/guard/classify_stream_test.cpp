// SPDX-License-Identifier: Apache-2.0
#include <random>
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "stream_fixture.hpp"

using namespace qwen3guard;

TEST_CASE("stream checkpoint: a prompt's verdict is the session's", "[stream]") {
  const Guard guard = Guard::load_embedded("nano-stream").value();
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
  const Guard guard = Guard::load_embedded("nano-stream").value();
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
  const Guard guard = Guard::load_embedded("nano-stream").value();
  const auto verdict = guard.classify_response("Hi", "");
  REQUIRE_FALSE(verdict.ok());
  CHECK(verdict.error().code == ErrorCode::invalid_argument);
}

TEST_CASE("stream checkpoint: actions follow the mode", "[stream]") {
  const Guard guard = Guard::load_embedded("nano-stream").value();
  ClassifyOptions options;
  options.policy.block_threshold = 0.0F;
  CHECK(guard.classify_prompt("Hello", options).value().action == Action::block);
  options.policy.block_threshold.reset();
  options.policy.flag_threshold = 0.0F;
  CHECK(guard.classify_prompt("Hello", options).value().action == Action::flag);
}

namespace {

/// What differs between two decisions on the same turn; what they say of unjudged bytes aside.
std::string difference(const Decision& a, const Decision& b) {
  std::string out;
  if (a.position != b.position) out += " position";
  if (a.reason != b.reason) out += " reason";
  if (a.n_run_tokens != b.n_run_tokens) out += " n_run_tokens";
  if (a.run_byte_begin != b.run_byte_begin) out += " run_byte_begin";
  if (a.is_flagged != b.is_flagged) out += " is_flagged";
  return out;
}

}  // namespace

TEST_CASE("stream checkpoint: a session and decide() agree under either rule", "[stream]") {
  const Guard guard = Guard::load_embedded("nano-stream").value();
  const std::uint32_t seed = 1344;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  test::StreamText texts(seed);
  std::size_t n_decided = 0, n_mixed = 0;
  for (int n = 0; n < 24; ++n) {
    StreamOptions options;
    options.max_tokens = 512;
    options.policy.run_rule = n % 2 == 0 ? RunRule::report : RunRule::published;
    options.policy.consecutive_tokens = 1 + static_cast<std::int32_t>(random() % 3);
    // Thresholds about where the small model's probabilities lie, so that severities change often.
    options.policy.unsafe_threshold = 0.1F + 0.1F * static_cast<float>(random() % 5);
    options.policy.controversial_threshold = 0.2F + 0.1F * static_cast<float>(random() % 5);
    options.policy.release_tokens = static_cast<std::int32_t>(random() % 3);
    options.policy.end_of_turn = n % 3 == 0 ? EndOfTurn::count_open_run : EndOfTurn::ignore_open_run;
    StreamSession session = guard.open_stream(options).value();
    REQUIRE(session.push_prompt("Go on.").ok());
    const auto check = [&](const Decision& decision, bool has_ended) {
      std::vector<TokenVerdict> tokens = session.verdicts();
      const std::vector<TokenVerdict> given = tokens;
      const Decision again = decide(options.policy, tokens, has_ended);
      CHECK(difference(decision, again).empty());
      for (std::size_t i = 0; i < tokens.size(); ++i) REQUIRE(tokens[i].flagged == given[i].flagged);
      n_decided += decision.token ? 1 : 0;
      n_mixed += decision.reason == DecisionReason::mixed_run ? 1 : 0;
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
    CHECK(session.end_turn().value().decision.severity >= decide(options.policy, tokens, true).severity);
  }
  CHECK(n_decided > 0);
  CHECK(n_mixed > 0);
}

TEST_CASE("stream checkpoint: a verdict is made by the options' decision policy", "[stream]") {
  const Guard guard = Guard::load_embedded("nano-stream").value();
  const std::string prompt = "Go on.";
  const std::string responses[] = {"The sun is warm today.",
                                   "Those people are vermin and somebody should burn them all, I hate them."};
  for (const RunRule rule : {RunRule::published, RunRule::report}) {
    for (const float unsafe : {0.05F, 0.4F, 1.0F}) {
      ClassifyOptions options;
      options.decision.run_rule = rule;
      options.decision.consecutive_tokens = 3;
      options.decision.unsafe_threshold = unsafe;
      options.decision.end_of_turn = EndOfTurn::count_open_run;
      std::vector<std::vector<Message>> conversations;
      for (const std::string& response : responses) {
        CAPTURE(static_cast<int>(rule), unsafe, response);
        StreamOptions stream;
        stream.policy = options.decision;
        stream.max_tokens = 128;
        StreamSession session = guard.open_stream(stream).value();
        REQUIRE(session.push_prompt(prompt).ok());
        session.push_text(response).throw_if_error();
        const Decision decision = session.end_turn().value().decision;
        const Verdict verdict = guard.classify_response(prompt, response, options).value();
        CHECK(verdict.severity == decision.severity);
        if (decision.position) CHECK(verdict.position == decision.position);
        conversations.push_back({{Role::user, prompt}, {Role::assistant, response}});
      }
      const auto verdicts = guard.classify_batch(conversations, options);
      for (std::size_t i = 0; i < verdicts.size(); ++i)
        CHECK(verdicts[i].value().severity == guard.classify(conversations[i], options).value().severity);
    }
  }
  // Of a prompt the thresholds and categories count, and its mode changes nothing.
  ClassifyOptions options;
  options.decision.unsafe_threshold = 0.0F;
  CHECK(guard.classify_prompt("Hello", options).value().severity == Severity::unsafe);
  CHECK(guard.classify_prompt("Hello", options).value().categories.size() == 1);
  options.decision.category_counts.fill(false);
  CHECK(guard.classify_prompt("Hello", options).value().severity == Severity::safe);
  options.decision = DecisionPolicy();
  options.decision.controversial_threshold = 0.0F;
  options.decision.unsafe_threshold = 1.0F;
  options.decision.mode = Mode::loose;
  CHECK(guard.classify_prompt("Hello", options).value().action == Action::block);
  options.policy.mode = Mode::loose;
  options.decision.mode = Mode::strict;
  CHECK(guard.classify_prompt("Hello", options).value().action == Action::flag);
}

TEST_CASE("stream checkpoint: thinking is what a session makes of it", "[stream]") {
  const Guard guard = Guard::load_embedded("nano-stream").value();
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
        CHECK((verdict.action == Action::none) == (verdict.severity == Severity::not_judged));
        if (verdict.severity == Severity::not_judged) {
          CHECK(verdict.probabilities.safe + verdict.probabilities.unsafe == 0.0F);
          CHECK_FALSE(verdict.position.has_value());
        }
      }
    }
  }
}

TEST_CASE("classify: options out of range are named", "[stream][gen]") {
  for (const char* name : {"nano-stream", "nano-gen"}) {
    const Guard guard = Guard::load_embedded(name).value();
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
    CHECK(detail_of([](ClassifyOptions& o) { o.decision.consecutive_tokens = 0; }) ==
          "policy.consecutive_tokens: 0; expected 1 or more");
    CHECK(detail_of([](ClassifyOptions& o) { o.thinking = static_cast<Thinking>(3); }) ==
          "options.thinking: no value of Thinking");
    if (name == std::string("nano-stream")) continue;
    CHECK(detail_of([](ClassifyOptions& o) { o.thinking = Thinking::skip; }).find("Gen checkpoint") !=
          std::string::npos);
  }
}
