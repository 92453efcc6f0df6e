// SPDX-License-Identifier: Apache-2.0
#include "evaluation/scores.hpp"

#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::evaluation;

namespace {

TokenVerdict token(std::int32_t position, float unsafe, float controversial = 0) {
  TokenVerdict out;
  out.position = position;
  out.probabilities = {1 - unsafe - controversial, controversial, unsafe};
  out.severity = unsafe > 0.5F ? Severity::unsafe : Severity::safe;
  out.source = VerdictSource::heads;
  out.byte_begin = position;
  out.byte_end = position + 1;
  return out;
}

Verdict response(std::vector<TokenVerdict> tokens) {
  Verdict out;
  out.role = Role::assistant;
  out.severity = Severity::safe;
  out.probabilities =
      tokens.empty() ? SeverityProbabilities{0.5F, 0.25F, 0.25F} : tokens.back().probabilities;
  out.token_verdicts = std::move(tokens);
  return out;
}

}  // namespace

TEST_CASE("Scores: a response has the largest score that two tokens in a row reach") {
  const auto scores =
      scores_of(response({token(7, 0.9F), token(8, 0.1F, 0.5F), token(9, 0.3F, 0.5F)})).value();
  CHECK(scores.strict == Approx(0.6F));
  CHECK(scores.loose == Approx(0.1F));
  CHECK(scores_of(response({token(7, 0.9F)}))->loose == Approx(0.9F));
  CHECK(scores_of(response({}))->strict == Approx(0.5F));
}

TEST_CASE("Scores: a prompt has those of its verdict, and what was not judged has none") {
  Verdict verdict = response({token(3, 0.2F)});
  verdict.role = Role::user;
  verdict.probabilities = {0.1F, 0.2F, 0.7F};
  CHECK(scores_of(verdict)->strict == Approx(0.9F));
  verdict.severity = Severity::not_judged;
  CHECK_FALSE(scores_of(verdict));
  CHECK_FALSE(scores_of(Verdict{}));
  CHECK(scores_of(SeverityProbabilities{0, 0.6F, 0.4000001F}).strict == 1);
}

TEST_CASE("Scores: of parts, the largest counts, not that of the worst part") {
  Verdict whole = response({token(1, 0.1F), token(2, 0.1F)});
  whole.windows = {response({token(1, 0.1F), token(2, 0.1F)}), response({token(1, 0.4F), token(2, 0.6F)})};
  CHECK(scores_of(whole)->loose == Approx(0.4F));
  CHECK(published_tokens(whole).empty());
}

TEST_CASE("Scores: the published tokens are those of the final form behind thinking that is skipped") {
  Verdict verdict =
      response({token(4, 0.9F), token(5, 0.9F), token(8, 0.8F), token(9, 0.2F), token(10, 0.3F)});
  verdict.n_as_written = 2;
  verdict.token_verdicts[2].counts = false;
  const auto tokens = published_tokens(verdict);
  REQUIRE(tokens.size() == 2);
  CHECK(tokens[0].position == 9);
  CHECK(scores_of(verdict)->loose == Approx(0.2F));

  verdict.token_verdicts[4].position = 12;  // no rule of neighbours holds over a gap
  CHECK(published_tokens(verdict).empty());
  verdict.n_as_written = 9;
  CHECK(published_tokens(verdict).empty());
}

TEST_CASE("Scores: a passage has every token that it shares a byte with") {
  std::vector<TokenVerdict> tokens = {token(10, 0), token(11, 0), token(12, 0)};
  tokens[0].byte_begin = 0, tokens[0].byte_end = 4;
  tokens[1].byte_begin = 4, tokens[1].byte_end = 9;
  tokens[2].byte_begin = 9, tokens[2].byte_end = 9;  // the turn's end
  const auto span = tokens_of_bytes(tokens, 3, 5).value();
  CHECK(span.first == 10);
  CHECK(span.last == 11);
  CHECK(tokens_of_bytes(tokens, 4, 5)->first == 11);
  CHECK_FALSE(tokens_of_bytes(tokens, 9, 12));
}

TEST_CASE("Scores: tokens of which nothing was said are not written down as anything") {
  Verdict verdict = response({token(7, 0.9F), token(8, 0.9F)});
  CHECK(published_tokens(verdict).size() == 2);
  verdict.token_verdicts[1].severity = Severity::not_judged;
  CHECK(published_tokens(verdict).empty());
}
