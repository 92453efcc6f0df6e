// SPDX-License-Identifier: Apache-2.0
#include "server/doors/verdict_words.hpp"

#include <cmath>

#include "q3g_catch.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

Verdict stream_verdict() {
  Verdict verdict;
  verdict.severity = Severity::controversial;
  verdict.probabilities = {0.25F, 0.5F, 0.25F};
  verdict.categories = {{Category::violent, 0.5F}, {Category::pii, 0.25F}};
  return verdict;
}

}  // namespace

TEST_CASE("verdict words: a Gen checkpoint's are its own, a Stream checkpoint's the same lines", "[server]") {
  Verdict verdict = stream_verdict();
  CHECK(words_of(verdict) == "Safety: Controversial\nCategories: Violent, PII");
  verdict.categories.clear();
  CHECK(words_of(verdict) == "Safety: Controversial\nCategories: None");
  verdict.text = "Safety: Safe\nCategories: None\nRefusal: Yes";
  CHECK(words_of(verdict) == verdict.text);
}

TEST_CASE("verdict words: tokens spell them, and have the probabilities of what was chosen", "[server]") {
  const auto guard = test::load_tiny("gen");
  if (!guard.ok()) Q3G_SKIP("built without models");
  Verdict verdict = stream_verdict();
  verdict.refusal = Refusal{true, 0.75F};
  const std::string words = words_of(verdict) + "\nRefusal: Yes";
  std::string spelt;
  double sum = 0;
  std::size_t n_choices = 0;
  for (const WordToken& token : tokens_of(verdict, words, *guard->tokenizer())) {
    spelt += token.text;
    sum += token.logprob;
    if (token.others.empty()) continue;
    ++n_choices;
    CHECK(std::is_sorted(token.others.begin(), token.others.end(),
                         [](const auto& a, const auto& b) { return a.logprob > b.logprob; }));
  }
  CHECK(spelt == words);
  CHECK(n_choices == 2);
  CHECK(sum == Approx(std::log(0.5 * 0.5 * 0.25 * 0.75)));
}
