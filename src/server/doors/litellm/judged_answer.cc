// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/judged_answer.hpp"

#include <algorithm>
#include <utility>
#include <vector>

#include "server/judging/stream_fork.hpp"

namespace qwen3guard::server {

bool JudgedAnswer::is_extended_by(std::string_view text) const noexcept {
  return !text_.empty() && text.starts_with(text_);
}

void JudgedAnswer::begin(const std::string& text) {
  judgement_.is_repeat = was_judged_ && text.size() == text_.size();
  is_judging_ = !judgement_.is_repeat && judgement_.kind != AnswerJudgement::Kind::blocked;
  if (is_judging_) judgement_.kind = AnswerJudgement::Kind::not_judged;
  is_looked_at_ = false;
  text_ = text;
  if (n_put_ == 0) n_skipped_ = std::min(text_.find_first_not_of('\n'), text_.size());
}

Result<bool> JudgedAnswer::step(StreamBatch& batch, StreamId prompt) {
  if (!is_judging_) return true;
  if (n_skipped_ == text_.size()) {
    // Nothing is said yet.
    judgement_.kind = AnswerJudgement::Kind::passed;
    judgement_.n_free_bytes = text_.size();
    is_judging_ = false;
    return was_judged_ = true;
  }
  if (id_ == 0) {
    if (Status status = open(batch, prompt); !status.ok()) return std::move(status).error();
  }
  if (!is_looked_at_) {
    Result<bool> is_put = put(batch);
    if (!is_put.ok() || !*is_put) return is_put;
    if (Status status = look(); !status.ok()) return std::move(status).error();
  }
  if (judgement_.kind != AnswerJudgement::Kind::blocked) {
    Result<bool> has_ended = end(batch);
    if (!has_ended.ok() || !*has_ended) return has_ended;
  }
  is_judging_ = false;
  return was_judged_ = true;
}

Status JudgedAnswer::open(StreamBatch& batch, StreamId prompt) {
  Result<StreamId> id = add_fork(batch, prompt);
  if (!id.ok()) return std::move(id).error();
  id_ = *id;
  Result<HoldBack> hold_back = HoldBack::over(batch, id_, options_);
  if (!hold_back.ok()) return std::move(hold_back).error();
  hold_back_.emplace(std::move(*hold_back));
  return {};
}

/// True when all of it was put, and was judged.
Result<bool> JudgedAnswer::put(StreamBatch& batch) {
  const std::string_view said = std::string_view(text_).substr(n_skipped_);
  while (n_put_ < said.size() && hold_back_->state() == HoldBackState::writing) {
    const std::size_t n = std::min(kPushBytes, said.size() - n_put_);
    Status status = hold_back_->put(said.substr(n_put_, n));
    if (!status.ok() && status.error().code == ErrorCode::budget_exceeded) {
      // What waits here makes room when it is judged. Where nothing does, only others can.
      Result<bool> is_waiting = batch.is_waiting(id_);
      if (!is_waiting.ok() || *is_waiting) return is_waiting.ok() ? Result<bool>(false) : is_waiting;
    }
    if (!status.ok()) return std::move(status).error();
    n_put_ += n;
  }
  Result<bool> is_waiting = batch.is_waiting(id_);
  if (!is_waiting.ok()) return is_waiting;
  return !*is_waiting;
}

/// What may be shown whatever follows.
Status JudgedAnswer::look() {
  is_looked_at_ = true;
  Result<HoldBackRelease> release = hold_back_->take();
  if (!release.ok()) return std::move(release).error();
  n_shown_ += release->text.size();
  judgement_.n_free_bytes = n_skipped_ + n_shown_;
  if (release->state == HoldBackState::blocked) {
    judgement_.kind = AnswerJudgement::Kind::blocked;
    judgement_.decision = release->block->decision;
    return {};
  }
  if (release->state == HoldBackState::writing) return {};
  return Error{ErrorCode::internal, "the answer was not judged completely"};
}

/// True when it is known what the text would be with its end here.
Result<bool> JudgedAnswer::end(StreamBatch& batch) {
  if (end_ == 0) {
    Result<StreamId> fork = add_fork(batch, id_);
    if (!fork.ok()) return std::move(fork).error();
    end_ = *fork;
    if (Status status = batch.end_turn(end_); !status.ok()) return std::move(status).error();
  }
  Result<std::vector<StreamEvent>> events = batch.poll(end_);
  if (!events.ok()) return std::move(events).error();
  for (StreamEvent& event : *events) {
    if (event.kind == StreamEvent::Kind::error) return std::move(event.status).error();
    if (event.kind != StreamEvent::Kind::turn_end) continue;
    const Decision& decision = event.turn.decision;
    const bool is_blocked = decision.action == Action::block;
    if (!is_blocked && (!decision.is_complete || decision.action == Action::none))
      return Error{ErrorCode::internal, "the answer was not judged completely"};
    judgement_.kind = is_blocked ? AnswerJudgement::Kind::pending : AnswerJudgement::Kind::passed;
    judgement_.decision = decision;
    close_end(batch);
    return true;
  }
  return false;
}

void JudgedAnswer::close_end(StreamBatch& batch) {
  if (end_ != 0) static_cast<void>(batch.remove(end_));
  end_ = 0;
}

void JudgedAnswer::close(StreamBatch& batch) {
  close_end(batch);
  hold_back_.reset();
  if (id_ != 0) static_cast<void>(batch.remove(id_));
  id_ = 0;
}

}  // namespace qwen3guard::server
