// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/span_scores.hpp"

#include <string>

#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

TokenVerdict token(std::int64_t begin, std::int64_t end, float unsafe) {
  TokenVerdict out;
  out.source = VerdictSource::heads;
  out.probabilities = {1 - unsafe, 0, unsafe};
  out.category_probabilities[static_cast<std::size_t>(Category::unethical_acts)] = 1;
  out.byte_begin = begin;
  out.byte_end = end;
  return out;
}

std::vector<double> scores_of(std::string_view text, const Verdict& verdict) {
  return sentence_scores(*find_attribute("INSULT"), sentences_of(text), text, verdict);
}

}  // namespace

TEST_CASE("span scores: each sentence has its worst token, one across two sentences counts in both",
          "[server]") {
  const std::string text = "Hi. You. Bye";  // [0, 4) [4, 9) [9, 12)
  Verdict verdict;
  verdict.token_verdicts = {token(0, 3, 0.125F), token(3, 5, 0.25F), token(5, 8, 0.75F), token(8, 12, 0.5F)};
  CHECK(scores_of(text, verdict) == std::vector<double>{0.25, 0.75, 0.5});
}

TEST_CASE("span scores: a sentence that was not judged as a whole has the highest", "[server]") {
  const std::string text = "Hi. You. Bye";
  Verdict verdict;
  verdict.token_verdicts = {token(0, 4, 0.125F), token(4, 7, 0.25F)};  // not "." nor "Bye"
  CHECK(scores_of(text, verdict) == std::vector<double>{0.125, 1, 1});
  TokenVerdict none = token(7, 12, 0.0F);
  none.source = VerdictSource::none;
  verdict.token_verdicts.push_back(none);
  CHECK(scores_of(text, verdict) == std::vector<double>{0.125, 1, 1});
  CHECK(scores_of(text, Verdict()) == std::vector<double>{1, 1, 1});
}

TEST_CASE("span scores: space that a template leaves out is not missed", "[server]") {
  Verdict verdict;
  verdict.token_verdicts = {token(2, 4, 0.125F)};
  CHECK(scores_of("\n\nHi \n", verdict) == std::vector<double>{0.125});
}

TEST_CASE("span scores: tokens within a character have all of it, parts of a text are one", "[server]") {
  const std::string text = "\U0001F600. \U0001F620";  // [0, 6) [6, 10)
  Verdict first, second, whole;
  first.token_verdicts = {token(0, 4, 0.125F), token(0, 4, 0.5F), token(4, 6, 0.0F)};
  second.token_verdicts = {token(4, 6, 0.25F), token(6, 10, 0.75F), token(10, 10, 1.0F)};
  whole.windows = {first, second};
  CHECK(scores_of(text, whole) == std::vector<double>{0.5, 0.75});
}
