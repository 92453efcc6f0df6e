// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/judged_answer.hpp"

#include <random>
#include <string>

#include "q3g_catch.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

const char* const kAnswer =
    "\n\nNa\xC3\xAFve people said you are a worthless idiot \xF0\x9F\x98\x80, and left. ";

/// A batch that is stepped by hand, with a prompt's session.
struct Fixture {
  explicit Fixture(const Guard& guard)
      : batch(StreamBatch::open(guard).value()), prompt(batch.add().value()) {
    REQUIRE(batch.push_prompt(prompt, "Hello").ok());
    batch.step();
  }
  AnswerJudgement judge(JudgedAnswer& answer, const std::string& text) {
    answer.begin(text);
    for (int i = 0; i < 1000; ++i) {
      const auto is_judged = answer.step(batch, prompt);
      REQUIRE(is_judged.ok());
      if (*is_judged) return answer.judgement();
      batch.step();
    }
    FAIL("it is never judged");
    return {};
  }
  StreamBatch batch;
  StreamId prompt;
};

}  // namespace

TEST_CASE("judged answer: each time it is what the text by itself would be", "[server]") {
  for (const char* const kind : {"stream", "gen"}) {
    const auto guard = test::load_tiny(kind);
    if (!guard.ok()) Q3G_SKIP("built without models");
    const unsigned seed = std::random_device{}();
    INFO(kind << ", seed " << seed);
    std::mt19937 random(seed);
    Fixture f(*guard);
    HoldBackOptions options;
    options.buffer_tokens = 2;
    JudgedAnswer longer(options);
    const std::string whole(kAnswer);
    std::size_t n_free = 0, n_compared = 0;
    for (std::size_t n = 1; n <= whole.size(); n += 1 + random() % 9) {
      while (n < whole.size() && (static_cast<unsigned char>(whole[n]) & 0xC0) == 0x80) ++n;
      const AnswerJudgement found = f.judge(longer, whole.substr(0, n));
      JudgedAnswer once(options);
      const AnswerJudgement alone = f.judge(once, whole.substr(0, n));
      once.close(f.batch);
      CHECK(found.kind == alone.kind);
      CHECK(found.decision.severity == alone.decision.severity);
      ++n_compared;
      if (found.kind == AnswerJudgement::Kind::blocked) break;
      CHECK(found.n_free_bytes >= n_free);
      CHECK(found.n_free_bytes <= n);
      n_free = found.n_free_bytes;
      const AnswerJudgement again = f.judge(longer, whole.substr(0, n));
      CHECK(again.is_repeat);
      CHECK(again.kind == found.kind);
    }
    CHECK(n_compared >= 2);
    longer.close(f.batch);
    CHECK(f.batch.stats().n_sessions == 1);
  }
}

TEST_CASE("judged answer: a text that says nothing yet passes, and needs no session", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  Fixture f(*guard);
  JudgedAnswer answer({});
  for (const char* const text : {"", "\n", "\n\n"}) {
    const AnswerJudgement found = f.judge(answer, text);
    CHECK(found.kind == AnswerJudgement::Kind::passed);
  }
  CHECK(f.batch.stats().n_sessions == 1);
  CHECK(answer.is_extended_by("\n\nHello"));
  CHECK_FALSE(answer.is_extended_by("Hello"));
  CHECK(f.judge(answer, "\n\nHello").n_free_bytes <= 7);
  answer.close(f.batch);
}

TEST_CASE("judged answer: where others hold the memory it says so, and does not wait for them", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  Fixture f(*guard);
  StreamBatchOptions options;
  options.memory_budget_bytes = std::size_t{8} << 20;
  f.batch = StreamBatch::open(*guard, options).value();
  f.prompt = f.batch.add().value();
  REQUIRE(f.batch.push_prompt(f.prompt, "Hello").ok());
  f.batch.step();
  JudgedAnswer answer({});
  CHECK(f.judge(answer, "One").kind != AnswerJudgement::Kind::not_judged);
  std::string words;
  for (int i = 0; i < 300; ++i) words += " and two";
  bool is_full = false;
  for (int i = 0; i < 1000 && !is_full; ++i) {
    const auto other = f.batch.add();
    is_full = !other.ok() || !f.batch.push_prompt(*other, words).ok();
    f.batch.step();
  }
  REQUIRE(is_full);
  answer.begin("One" + words);
  Result<bool> is_judged = false;
  for (int i = 0; i < 1000 && is_judged.ok() && !*is_judged; ++i) {
    is_judged = answer.step(f.batch, f.prompt);
    f.batch.step();
  }
  REQUIRE_FALSE(is_judged.ok());
  CHECK(is_judged.error().code == ErrorCode::budget_exceeded);
  CHECK(answer.judgement().kind == AnswerJudgement::Kind::not_judged);
  answer.close(f.batch);
}
