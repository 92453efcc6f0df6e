// SPDX-License-Identifier: Apache-2.0
#include "server/judging/ask.hpp"

#include <string>
#include <utility>

#include "server/http/posted.hpp"
#include "server/replies.hpp"

namespace qwen3guard::server {
namespace {

using Clock = Classifier::Clock;

/// One question under way. Filled by the classifier's thread, job after job, and read by the loop when the
/// last one is done.
struct Asked {
  Answers answers;
  std::vector<Message> judged;  // the last messages, for the audit log
  std::size_t n_left = 0;
  Clock::time_point begin = Clock::now();
  std::shared_ptr<CancelFlag> cancel = std::make_shared<CancelFlag>();
};

Result<Verdict> checked(Result<Verdict> answer) {
  if (answer.ok() && answer->severity == Severity::not_judged && answer->ruling.rule != Rule::deny_list)
    return Error{ErrorCode::internal, "the model said nothing about the text"};
  return answer;
}

void record(Services& services, const Exchange& exchange, const Question& question, const Asked& asked) {
  const double seconds = std::chrono::duration<double>(Clock::now() - asked.begin).count();
  for (std::size_t i = 0; i < asked.answers.size(); ++i) {
    const Result<Verdict>& answer = asked.answers[i];
    AuditEntry entry;
    entry.route = question.route;
    entry.request_id = exchange.request_id;
    entry.key_name = exchange.key_name;
    entry.model = question.model->name;
    entry.model_digest = question.model->digest;
    entry.is_private = question.is_private;
    if (i < asked.judged.size()) {
      entry.role = asked.judged[i].role;
      entry.text = asked.judged[i].content;
    }
    if (answer.ok()) {
      services.metrics.count_judged(question.route, answer->severity, answer->ruling, seconds);
      services.metrics.count_tokens(question.route, answer->tokens);
      entry.severity = answer->severity;
      entry.ruling = &answer->ruling;
    } else {
      services.metrics.count_unjudged(question.route, to_string(answer.error().code));
      entry.error = to_string(answer.error().code);
    }
    services.audit.write(entry);
  }
}

}  // namespace

void ask(Services& services, const std::shared_ptr<Exchange>& exchange, Question question,
         std::function<void(Answers)> then) {
  const auto asked = std::make_shared<Asked>();
  asked->n_left = question.conversations.size();
  asked->answers.assign(question.conversations.size(), Error{ErrorCode::cancelled, "it was not begun"});
  std::vector<Classifier::Job> jobs;
  const auto finish = posted<>(
      services.loop,
      [&services, exchange, asked, then = std::move(then),
       asked_for = Question{question.route, question.model, {}, question.options, question.is_private}] {
        record(services, *exchange, asked_for, *asked);
        if (exchange->is_open()) then(std::move(asked->answers));
      });
  for (std::size_t i = 0; i < question.conversations.size(); ++i) {
    if (services.audit.is_on() && !question.conversations[i].empty())
      asked->judged.push_back(question.conversations[i].back());
    Classifier::Job job;
    job.messages = std::move(question.conversations[i]);
    job.options = question.options;
    job.deadline = asked->begin + services.options.time_limit;
    job.cancel = asked->cancel;
    job.done = [asked, finish, i](Result<Verdict> answer) {
      asked->answers[i] = checked(std::move(answer));
      if (--asked->n_left == 0) finish();
    };
    jobs.push_back(std::move(job));
  }
  Classifier& classifier = *question.model->classifier;
  if (!classifier.submit(jobs)) {
    services.metrics.count_refused("queue");
    return refuse(*exchange, {429, "too many conversations wait for the model", "", "queue_full",
                              static_cast<double>(classifier.expected_wait().count()) / 1000});
  }
  exchange->on_closed([asked] { asked->cancel->cancel(); });
}

}  // namespace qwen3guard::server
