// SPDX-License-Identifier: Apache-2.0
#include "server/judging/classifier.hpp"

#include <atomic>
#include <future>
#include <random>

#include "q3g_catch.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

/// Answers by the number of the job.
class Answers {
 public:
  explicit Answers(std::size_t n) : promises_(n) {}
  [[nodiscard]] std::function<void(Result<Verdict>)> taker(std::size_t i) {
    return [this, i](Result<Verdict> answer) { promises_[i].set_value(std::move(answer)); };
  }
  [[nodiscard]] Result<Verdict> get(std::size_t i) { return promises_[i].get_future().get(); }

 private:
  std::vector<std::promise<Result<Verdict>>> promises_;
};

Classifier::Job job_of(std::string text, std::shared_ptr<const ClassifyOptions> options,
                       std::function<void(Result<Verdict>)> done) {
  Classifier::Job job;
  job.messages = {{Role::user, std::move(text)}};
  job.options = std::move(options);
  job.done = std::move(done);
  return job;
}

}  // namespace

TEST_CASE("classifier: each job gets the verdict on its own text, however they are judged together",
          "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const auto options = std::make_shared<const ClassifyOptions>(),
             others = std::make_shared<const ClassifyOptions>();
  constexpr std::size_t kJobs = 60;
  Answers answers(kJobs);
  std::vector<std::string> texts;
  Classifier classifier(*guard, kJobs, 7);
  for (std::size_t i = 0; i < kJobs; ++i) {
    texts.push_back("text " + std::to_string(random()) +
                    (random() % 2 == 0 ? " is a worthless idiot" : " is fine"));
    std::vector<Classifier::Job> jobs;
    jobs.push_back(job_of(texts[i], random() % 3 == 0 ? others : options, answers.taker(i)));
    REQUIRE(classifier.submit(jobs));
  }
  for (std::size_t i = 0; i < kJobs; ++i) {
    const auto expected = guard->classify_prompt(texts[i]).value();
    const auto answer = answers.get(i);
    REQUIRE(answer.ok());
    CHECK(answer->severity == expected.severity);
    CHECK(answer->probabilities.unsafe == Approx(expected.probabilities.unsafe).margin(1e-3));
  }
}

TEST_CASE("classifier: all of a request's jobs are taken, or none", "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  Classifier classifier(*guard, 2, 2);
  const auto options = std::make_shared<const ClassifyOptions>();
  std::atomic<int> n_done{0};
  std::vector<Classifier::Job> jobs;
  for (int i = 0; i < 3; ++i) jobs.push_back(job_of("x", options, [&](const Result<Verdict>&) { ++n_done; }));
  CHECK_FALSE(classifier.submit(jobs));
  CHECK(jobs.size() == 3);
  CHECK(jobs.front().messages.size() == 1);
  CHECK(n_done == 0);
}

TEST_CASE("classifier: what is too late, not wanted, or not begun at the end is an error and never a verdict",
          "[server]") {
  const auto guard = test::load_tiny("stream");
  if (!guard.ok()) Q3G_SKIP("built without models");
  const auto options = std::make_shared<const ClassifyOptions>();
  Answers answers(2);
  {
    Classifier classifier(*guard, 8, 1);
    std::vector<Classifier::Job> jobs;
    jobs.push_back(job_of("late", options, answers.taker(0)));
    jobs.back().deadline = Classifier::Clock::now() - std::chrono::seconds(1);
    jobs.push_back(job_of("unwanted", options, answers.taker(1)));
    const auto cancel = std::make_shared<CancelFlag>();
    cancel->cancel();
    jobs.back().cancel = cancel;
    REQUIRE(classifier.submit(jobs));
    CHECK(answers.get(0).error().code == ErrorCode::cancelled);
    CHECK(answers.get(1).error().code == ErrorCode::cancelled);
  }
  std::atomic<int> n_answers{0};
  {
    Classifier classifier(*guard, 100, 1);
    std::vector<Classifier::Job> jobs;
    for (int i = 0; i < 50; ++i)
      jobs.push_back(job_of("x", options, [&](const Result<Verdict>&) { ++n_answers; }));
    REQUIRE(classifier.submit(jobs));
  }
  CHECK(n_answers == 50);
}
