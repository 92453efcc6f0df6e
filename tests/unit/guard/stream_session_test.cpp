// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;

namespace {

constexpr const char* kPrompt = "Please continue the text.";
constexpr const char* kResponse =
    "In a medium bowl, whisk together flour, baking powder, and salt. Then again, those people are vermin "
    "and "
    "somebody should burn their houses down. Serve warm with a little butter.";
/// Probabilities of differently cut sequences differ by rounding only; logits agree to 1e-4
/// (docs/numerics.md), and a softmax's slope is at most 1/4 per logit, two of which move.
constexpr float kMargin = 1e-4F;

StreamSession open(const Guard& guard, std::int32_t max_tokens = 512) {
  StreamOptions options;
  options.max_tokens = max_tokens;
  return guard.open_stream(options).value();
}

std::vector<TokenVerdict> push_all(StreamSession& session, const std::vector<TokenId>& ids,
                                   const std::vector<std::size_t>& cuts) {
  std::vector<TokenVerdict> out(ids.size());
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= cuts.size(); ++i) {
    const std::size_t end = i < cuts.size() ? cuts[i] : ids.size();
    session.push_tokens(std::span(ids).subspan(begin, end - begin), std::span(out).subspan(begin))
        .throw_if_error();
    begin = end;
  }
  return out;
}

void check_close(const std::vector<TokenVerdict>& a, const std::vector<TokenVerdict>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    CAPTURE(i);
    CHECK(a[i].position == b[i].position);
    CHECK(a[i].probabilities.safe == Approx(b[i].probabilities.safe).margin(kMargin));
    CHECK(a[i].probabilities.unsafe == Approx(b[i].probabilities.unsafe).margin(kMargin));
    for (std::size_t c = 0; c < a[i].category_probabilities.size(); ++c) {
      CHECK(a[i].category_probabilities[c] == Approx(b[i].category_probabilities[c]).margin(kMargin));
    }
  }
}

}  // namespace

TEST_CASE("session: verdicts do not depend on how the tokens are cut", "[session]") {
  const std::uint32_t seed = 4711;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const Guard guard = test::load_tiny("stream").value();
  const std::vector<TokenId> ids = guard.tokenizer()->encode(kResponse).value();
  StreamSession whole = open(guard);
  const TokenVerdict prompt = whole.push_prompt(kPrompt).value();
  const auto expected = push_all(whole, ids, {});
  CHECK(expected.front().position == whole.position() - static_cast<std::int32_t>(ids.size()));
  for (int n = 0; n < 12; ++n) {
    StreamSession session = open(guard);
    CHECK(session.push_prompt(kPrompt).value().probabilities.safe == prompt.probabilities.safe);
    std::vector<std::size_t> cuts;
    const std::size_t percent = n == 0 ? 100 : random() % 100;
    for (std::size_t i = 1; i < ids.size(); ++i) {
      if (random() % 100 < percent) cuts.push_back(i);
    }
    const auto tokens = push_all(session, ids, cuts);
    check_close(tokens, expected);
    CHECK(session.position() == whole.position());
  }
}

TEST_CASE("session: equals the raw heads of the whole sequence", "[session]") {
  const Guard guard = test::load_tiny("stream").value();
  const Tokenizer& tokenizer = *guard.tokenizer();
  const std::vector<TokenId> response = tokenizer.encode(kResponse).value();
  std::vector<TokenId> ids = tokenizer
                                 .encode(std::string("<|im_start|>user\n") + kPrompt +
                                             "<|im_end|>\n<|im_start|>assistant\n<think>\n\n</think>\n\n",
                                         SpecialTokens::recognized)
                                 .value();
  const std::size_t begin = ids.size();
  ids.insert(ids.end(), response.begin(), response.end());
  const auto heads = guard.logits(ids).value();

  StreamSession session = open(guard);
  const TokenVerdict prompt = session.push_prompt(kPrompt).value();
  CHECK(ids[static_cast<std::size_t>(prompt.position)] == tokenizer.find_added("<|im_end|>"));
  const auto tokens = push_all(session, response, {});
  // The published order of the risk logits: 0 Safe, 1 Unsafe, 2 Controversial.
  const auto check = [&](const HeadLogits& risk, std::size_t position, const TokenVerdict& verdict) {
    const float* row = risk.values.data() + 3 * position;
    const double sum = std::exp(double(row[0])) + std::exp(double(row[1])) + std::exp(double(row[2]));
    CHECK(verdict.probabilities.safe == Approx(std::exp(double(row[0])) / sum).margin(kMargin));
    CHECK(verdict.probabilities.unsafe == Approx(std::exp(double(row[1])) / sum).margin(kMargin));
    CHECK(verdict.probabilities.controversial == Approx(std::exp(double(row[2])) / sum).margin(kMargin));
  };
  check(heads[2], static_cast<std::size_t>(prompt.position), prompt);
  for (std::size_t i = 0; i < tokens.size(); ++i) check(heads[0], begin + i, tokens[i]);
}

TEST_CASE("session: errors leave everything as it was", "[session]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = open(guard, 64);
  std::vector<TokenVerdict> out(80);
  const std::vector<TokenId> some(3, 7);
  CHECK(session.push_tokens(some, out).error().code == ErrorCode::invalid_argument);  // no prompt yet
  CHECK(session.push_prompt("bad \xC0 text").error().code == ErrorCode::invalid_utf8);
  CHECK(session.push_prompt(std::string(5000, 'q')).error().code == ErrorCode::context_full);
  CHECK(session.position() == 0);
  REQUIRE(session.push_prompt("Hi").ok());
  CHECK(session.push_prompt("Hi").error().code == ErrorCode::invalid_argument);
  const std::int32_t position = session.position();

  out[0].position = -77;
  CHECK(session.push_tokens(some, std::span(out).first(2)).error().code == ErrorCode::invalid_argument);
  for (const TokenId bad : {TokenId{-1}, TokenId{guard.info().vocab_size}, TokenId{INT32_MIN}}) {
    const Status status = session.push_tokens(std::vector<TokenId>{1, 2, bad}, out);
    CHECK(status.error().code == ErrorCode::token_out_of_range);
    CHECK(status.error().detail.find("ids[2]") != std::string::npos);
  }
  CHECK(session.push_tokens(std::vector<TokenId>(70, 7), out).error().code == ErrorCode::context_full);
  CHECK(out[0].position == -77);
  CHECK(session.position() == position);
  CHECK(session.decision().severity == Severity::not_judged);

  CHECK(session.push_tokens({}, {}).ok());
  CHECK(session.position() == position);
  // A response leaves room for its <|im_end|> and a line break.
  const std::vector<TokenId> rest(static_cast<std::size_t>(62 - position), 7);
  CHECK(session.push_tokens(rest, out).ok());
  CHECK(session.position() == session.max_tokens() - 2);
  CHECK(session.push_tokens(std::vector<TokenId>{7}, out).error().code == ErrorCode::context_full);
  CHECK(session.end_turn().value().decision.is_complete);
  CHECK(session.position() == session.max_tokens());
}

TEST_CASE("session: reset gives a session as new", "[session]") {
  const Guard guard = test::load_tiny("stream").value();
  const std::vector<TokenId> ids = guard.tokenizer()->encode(kResponse).value();
  StreamSession fresh = open(guard), used = open(guard);
  REQUIRE(used.push_prompt("Something else entirely").ok());
  push_all(used, std::vector<TokenId>(40, 99), {});
  used.reset();
  CHECK(used.position() == 0);
  CHECK(used.decision().severity == Severity::not_judged);
  CHECK(fresh.push_prompt(kPrompt).value().probabilities.safe ==
        used.push_prompt(kPrompt).value().probabilities.safe);
  const auto a = push_all(fresh, ids, {}), b = push_all(used, ids, {});
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].probabilities.safe == b[i].probabilities.safe);
}

TEST_CASE("session: options are checked", "[session]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamOptions options;
  options.gen_interval_tokens = 0;
  CHECK(guard.open_stream(options).error().code == ErrorCode::invalid_argument);
  options = {};
  options.max_tokens = -1;
  CHECK(guard.open_stream(options).error().code == ErrorCode::invalid_argument);
  options.max_tokens = guard.info().max_context_tokens + 1;
  CHECK(guard.open_stream(options).error().code == ErrorCode::invalid_argument);
}

TEST_CASE("session: conversations of several turns", "[session]") {
  const Guard guard = test::load_tiny("stream").value();
  StreamSession session = open(guard);
  const std::vector<Message> turns = {{Role::system, "Be brief."},
                                      {Role::user, "Hi"},
                                      {Role::assistant, "Hello."},
                                      {Role::user, "How are you?"}};
  const TokenVerdict prompt = session.push_conversation(turns).value();
  CHECK(prompt.position < session.position());
  session.reset();
  CHECK(session.push_conversation(std::span(turns).first(3)).error().code == ErrorCode::invalid_argument);
  CHECK(session.push_conversation({}).error().code == ErrorCode::invalid_argument);
}
