// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/guarded_call.hpp"

#include <algorithm>
#include <exception>
#include <new>
#include <span>
#include <utility>

namespace qwen3guard::server {
namespace {

std::span<const Message> behind(const ChatMessages& asked) {
  return std::span(asked.messages).subspan(asked.i_prompt + 1);
}

std::size_t n_users(const ChatMessages& asked) {
  const auto prompts = std::span(asked.messages).first(asked.i_prompt + 1).subspan(asked.i_first_prompt);
  return static_cast<std::size_t>(std::count_if(
      prompts.begin(), prompts.end(), [](const Message& message) { return message.role == Role::user; }));
}

bool is_cancelled(const CallStep& step) { return step.cancel != nullptr && step.cancel->is_cancelled(); }

}  // namespace

void GuardedCall::take(CallStep step, Done done) {
  steps_.push_back({std::move(step), std::move(done)});
  if (steps_.size() == 1) stage_ = Stage::begins;
  pool_.wait_for(shared_from_this());
}

bool GuardedCall::look(StreamBatch& batch) {
  while (!steps_.empty()) {
    Result<bool> is_done = Error{ErrorCode::internal, "it was not begun"};
    try {
      is_done = advance(batch);
    } catch (const std::bad_alloc&) {
      is_done = Error{ErrorCode::out_of_memory, "no memory"};
    } catch (const std::exception& e) {
      is_done = Error{ErrorCode::internal, e.what()};
    }
    const CallStep& step = steps_.front().step;
    // An answer goes on although nobody waits: the next one begins where it ended.
    if (is_done.ok() && !*is_done && step.answers.empty() && is_cancelled(step))
      is_done = Error{ErrorCode::cancelled, "nobody waits for it any more"};
    if (is_done.ok() && !*is_done && std::chrono::steady_clock::now() > step.deadline)
      is_done = Error{ErrorCode::cancelled, "it was not judged within the time limit"};
    if (!is_done.ok()) {
      drop(batch);
      finish(is_done.error());
    } else if (*is_done) {
      finish(std::exchange(outcome_, {}));
    } else {
      return true;
    }
  }
  return false;
}

/// True when the step is done.
Result<bool> GuardedCall::advance(StreamBatch& batch) {
  if (stage_ == Stage::begins) {
    Result<bool> has_begun = begin(batch);
    if (!has_begun.ok()) return has_begun;
  }
  if (stage_ == Stage::asks) return look_at_prompts(batch);
  if (stage_ == Stage::opens) {
    Result<bool> is_open = look_at_opening(batch);
    if (!is_open.ok() || !*is_open) return is_open;
    stage_ = Stage::answers;
    match_answers(batch);
  }
  return judge_answers(batch);
}

Result<bool> GuardedCall::begin(StreamBatch& batch) {
  const CallStep& step = steps_.front().step;
  outcome_ = {};
  if (is_cancelled(step)) return Error{ErrorCode::cancelled, "nobody waits for it any more"};
  Status status;
  if (step.answers.empty()) {
    drop(batch);
    i_next_ = step.asked->i_first_prompt;
    status = add(batch, std::span(step.asked->messages).first(i_next_));
    stage_ = Stage::asks;
  } else {
    if (prompt_ == 0) status = restore(batch, step.asked.get());
    stage_ = Stage::opens;
  }
  if (!status.ok()) return std::move(status).error();
  return true;
}

Status GuardedCall::add(StreamBatch& batch, std::span<const Message> past) {
  Result<StreamSession> session = pool_.guard().open_stream(options_);
  if (!session.ok()) return std::move(session).error();
  if (Status status = session->restore(past); !status.ok()) return status;
  Result<StreamId> id = batch.add(std::move(*session));
  if (!id.ok()) return std::move(id).error();
  prompt_ = *id;
  return {};
}

/// One message at a time: all of them at once would reserve memory that the session comes to need one after
/// the other.
Status GuardedCall::ask_next(StreamBatch& batch) {
  const Message& message = steps_.front().step.asked->messages[i_next_];
  Status status = batch.begin_turn(prompt_, message.role);
  if (status.ok()) status = batch.push_text(prompt_, message.content);
  if (status.ok()) status = batch.end_turn(prompt_);
  if (status.ok()) ++i_next_;
  return status;
}

/// What was asked was judged before, or nobody knows what it was.
Status GuardedCall::restore(StreamBatch& batch, const ChatMessages* asked) {
  const std::vector<Message> nothing = {{Role::user, ""}};
  Status status = add(batch, asked != nullptr ? asked->messages : nothing);
  return status.ok() ? batch.begin_turn(prompt_, Role::assistant) : status;
}

Result<bool> GuardedCall::look_at_prompts(StreamBatch& batch) {
  Result<bool> is_waiting = batch.is_waiting(prompt_);
  if (!is_waiting.ok()) return is_waiting;
  Result<std::vector<StreamEvent>> events = batch.poll(prompt_);
  if (!events.ok()) return std::move(events).error();
  for (StreamEvent& event : *events) {
    if (event.kind == StreamEvent::Kind::error) return std::move(event.status).error();
    if (event.kind != StreamEvent::Kind::turn_end || event.turn.role != Role::user) continue;
    if (Status status = note_prompt(batch, event.turn.decision); !status.ok())
      return std::move(status).error();
    if (event.turn.decision.action != Action::block) continue;
    drop(batch);
    return true;
  }
  if (*is_waiting) return false;
  const ChatMessages& asked = *steps_.front().step.asked;
  const bool is_done = i_next_ > asked.i_prompt;
  if (is_done && outcome_.prompts.size() != n_users(asked))
    return Error{ErrorCode::internal, "not all of the prompt was judged"};
  Status status = is_done ? open_answer(batch) : ask_next(batch);
  if (!status.ok()) return std::move(status).error();
  return is_done;
}

Status GuardedCall::note_prompt(StreamBatch& batch, const Decision& decision) {
  const bool is_blocked = decision.action == Action::block;
  if (!is_blocked && (!decision.is_complete || decision.action == Action::none))
    return Error{ErrorCode::internal, "the prompt was not judged completely"};
  JudgedPrompt prompt;
  prompt.decision = decision;
  // The message before the next one: each is judged by itself.
  prompt.text = steps_.front().step.asked->messages[i_next_ - 1].content;
  Status status =
      batch.visit(prompt_, [&](const StreamSession& session) { prompt.n_tokens = session.position(); });
  if (status.ok()) outcome_.prompts.push_back(std::move(prompt));
  return status;
}

/// The answer's turn is opened while nobody waits for it.
Status GuardedCall::open_answer(StreamBatch& batch) {
  Status inner;
  Status outer = batch.visit(
      prompt_, [&](StreamSession& session) { inner = session.restore(behind(*steps_.front().step.asked)); });
  if (outer.ok() && inner.ok()) return batch.begin_turn(prompt_, Role::assistant);
  return outer.ok() ? std::move(inner) : std::move(outer);
}

/// Its text is read then, and forks need not do so again.
Result<bool> GuardedCall::look_at_opening(StreamBatch& batch) {
  Result<std::vector<StreamEvent>> events = batch.poll(prompt_);
  if (!events.ok()) return std::move(events).error();
  for (StreamEvent& event : *events) {
    if (event.kind == StreamEvent::Kind::error) return std::move(event.status).error();
  }
  bool is_open = false;
  Status status = batch.visit(prompt_, [&](const StreamSession& session) {
    const StreamMark mark = session.mark();
    is_open = mark.turn > 0 && !mark.is_closed;
  });
  if (!status.ok()) return std::move(status).error();
  return is_open;
}

/// A choice is known by its text: places shift when another one begins to speak. Each text goes to the answer
/// with the longest text that it goes on with; an answer that no text goes on with is over.
void GuardedCall::match_answers(StreamBatch& batch) {
  std::list<JudgedAnswer> before;
  before.swap(answers_);
  matched_.clear();
  for (const AnswerText& answer : steps_.front().step.answers) {
    auto best = before.end();
    for (auto i = before.begin(); i != before.end(); ++i) {
      if (i->is_extended_by(answer.text) && (best == before.end() || i->size() > best->size())) best = i;
    }
    if (best != before.end()) {
      answers_.splice(answers_.end(), before, best);
    } else {
      answers_.emplace_back(hold_back_);
    }
    answers_.back().begin(answer.text);
    matched_.push_back(&answers_.back());
  }
  for (JudgedAnswer& answer : before) answer.close(batch);
}

Result<bool> GuardedCall::judge_answers(StreamBatch& batch) {
  bool is_done = true;
  for (JudgedAnswer* answer : matched_) {
    Result<bool> is_judged = answer->step(batch, prompt_);
    if (!is_judged.ok()) return is_judged;
    is_done = is_done && *is_judged;
  }
  if (!is_done) return false;
  for (const JudgedAnswer* answer : matched_) outcome_.answers.push_back(answer->judgement());
  // As long as one of them grows, none has come to its end.
  const bool is_repeat = std::all_of(matched_.begin(), matched_.end(), [](const JudgedAnswer* answer) {
    return answer->size() == 0 || answer->judgement().is_repeat;
  });
  for (AnswerJudgement& judgement : outcome_.answers) judgement.is_repeat = is_repeat;
  return true;
}

void GuardedCall::drop(StreamBatch& batch) {
  matched_.clear();
  for (JudgedAnswer& answer : answers_) answer.close(batch);
  answers_.clear();
  if (prompt_ != 0) static_cast<void>(batch.remove(prompt_));
  prompt_ = 0;
}

void GuardedCall::finish(Result<CallOutcome> outcome) {
  const Done done = std::move(steps_.front().done);
  steps_.pop_front();
  stage_ = Stage::begins;
  matched_.clear();
  done(std::move(outcome));
}

void GuardedCall::close(StreamBatch& batch) {
  drop(batch);
  while (!steps_.empty()) finish(Error{ErrorCode::cancelled, "the session was ended"});
}

}  // namespace qwen3guard::server
