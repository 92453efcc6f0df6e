// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"

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
