// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/guarded_answer.hpp"

#include <algorithm>
#include <new>
#include <span>
#include <utility>

namespace qwen3guard::server {
namespace {

constexpr std::size_t kMaxBacklogBytes = std::size_t{256} << 10;

std::size_t text_bytes(const std::vector<ChoicePiece>& pieces) noexcept {
  std::size_t n = 0;
  for (const ChoicePiece& piece : pieces) {
    for (const Part& part : piece.parts) n += part.text.size();
  }
  return n;
}

Status visit(StreamBatch& batch, StreamId id, const std::function<Status(StreamSession&)>& look) {
  Status inner;
  Status outer = batch.visit(id, [&](StreamSession& session) { inner = look(session); });
  return outer.ok() ? std::move(inner) : std::move(outer);
}

}  // namespace

/// What throws, or fails as a whole, ends all of it.
template <class Change>
void GuardedAnswer::guarded(StreamBatch& batch, const Change& change) {
  if (stage_ == Stage::closed) return;
  GuardEvents events;
  Status status;
  try {
    status = change(events);
  } catch (const std::bad_alloc&) {
    status = Error{ErrorCode::out_of_memory, "no memory"};
  } catch (const std::exception& e) {
    status = Error{ErrorCode::internal, e.what()};
  }
  if (!status.ok()) {
    fail_prompt(std::move(status).error(), events);
    close(batch);
  }
  if (!events.empty()) emit(std::move(events));
}

void GuardedAnswer::emit(GuardEvents events) {
  if (emit_) emit_(std::move(events));
}

void GuardedAnswer::fail_prompt(Error error, GuardEvents& events) {
  GuardEvent out;
  out.kind = GuardEvent::Kind::unjudged;
  out.is_prompt = stage_ == Stage::asking;
  if (out.is_prompt && !prompts_.empty()) out.text = prompts_.front();
  out.error = error;
  events.push_back(std::move(out));
  GuardEvent end;
  const bool blocks = setup_.blocks_unjudged && stage_ == Stage::asking;
  end.kind = blocks ? GuardEvent::Kind::prompt_blocked : GuardEvent::Kind::failed;
  end.is_prompt = stage_ == Stage::asking;
  end.ruling = rule_unjudged(setup_.stream.policy);
  end.error = std::move(error);
  events.push_back(std::move(end));
}

void GuardedAnswer::begin(StreamBatch& batch, const ChatMessages& asked) {
  begin_time_ = Clock::now();
  guarded(batch, [&](GuardEvents&) { return open_prompt(batch, asked); });
}

Status GuardedAnswer::open_prompt(StreamBatch& batch, const ChatMessages& asked) {
  const std::span<const Message> messages(asked.messages);
  const auto prompts = messages.subspan(asked.i_first_prompt, asked.i_prompt - asked.i_first_prompt + 1);
  const auto behind = messages.subspan(asked.i_prompt + 1);
  behind_.assign(behind.begin(), behind.end());
  Result<StreamSession> session = guard_.open_stream(setup_.stream);
  if (!session.ok()) return std::move(session).error();
  if (Status status = session->restore(messages.first(asked.i_first_prompt)); !status.ok()) return status;
  Result<StreamId> id = batch.add(std::move(*session));
  if (!id.ok()) return std::move(id).error();
  prompt_ = *id;
  Status status;
  for (const Message& message : prompts) {
    if (message.role == Role::user) {
      ++n_prompts_;
      if (setup_.keeps_text) prompts_.push_back(message.content);
    }
    if (status.ok()) status = batch.begin_turn(prompt_, message.role);
    if (status.ok()) status = batch.push_text(prompt_, message.content);
    if (status.ok()) status = batch.end_turn(prompt_);
  }
  return status;
}

Status GuardedAnswer::look_at_prompt(StreamBatch& batch, GuardEvents& events) {
  Result<std::vector<StreamEvent>> found = batch.poll(prompt_);
  if (!found.ok()) return std::move(found).error();
  for (StreamEvent& event : *found) {
    if (event.kind == StreamEvent::Kind::error) return std::move(event.status);
    const bool is_users = event.kind == StreamEvent::Kind::turn_end && event.turn.role == Role::user;
    if (is_users && stage_ == Stage::asking) {
      if (Status status = judge_prompt(batch, event.turn, events); !status.ok()) return status;
      if (stage_ == Stage::closed) return {};
    }
  }
  if (stage_ == Stage::opening) {
    // Its text is read by now, and forks need not do so again.
    bool is_open = false;
    const Status status = visit(batch, prompt_, [&](StreamSession& session) {
      is_open = !session.mark().is_closed;
      return Status();
    });
    if (!status.ok() || is_open) return is_open ? (stage_ = Stage::answering, Status()) : status;
  }
  if (Clock::now() - begin_time_ <= setup_.time_limit) return {};
  return Error{ErrorCode::cancelled, "the prompt was not judged within the time limit"};
}

Status GuardedAnswer::judge_prompt(StreamBatch& batch, const TurnVerdict& turn, GuardEvents& events) {
  const Decision& decision = turn.decision;
  const bool is_blocked = decision.action == Action::block;
  if (!is_blocked && (!decision.is_complete || decision.action == Action::none))
    return Error{ErrorCode::internal, "the prompt was not judged completely"};
  GuardEvent out;
  out.kind = GuardEvent::Kind::judged;
  out.is_prompt = true;
  out.is_blocked = is_blocked;
  out.severity = decision.severity;
  out.ruling = decision.ruling;
  if (!prompts_.empty()) {
    out.text = std::move(prompts_.front());
    prompts_.pop_front();
  }
  const bool is_last = --n_prompts_ == 0;
  out.seconds = std::chrono::duration<double>(Clock::now() - begin_time_).count();
  Status status = visit(batch, prompt_, [&](StreamSession& session) {
    out.n_tokens = session.position();
    return Status();
  });
  if (!status.ok()) return status;
  GuardEvent next = out;
  events.push_back(std::move(out));
  next.kind = is_blocked ? GuardEvent::Kind::prompt_blocked : GuardEvent::Kind::prompt_passed;
  if (is_blocked || is_last) events.push_back(std::move(next));
  if (is_blocked && !setup_.is_monitor) return close(batch), Status();
  return is_last ? open_answer(batch) : Status();
}

Status GuardedAnswer::open_answer(StreamBatch& batch) {
  stage_ = Stage::opening;
  begin_time_ = Clock::now();
  if (!behind_.empty()) {
    Status status = visit(batch, prompt_, [&](StreamSession& session) { return session.restore(behind_); });
    if (!status.ok()) return status;
    behind_ = {};
  }
  return batch.begin_turn(prompt_, Role::assistant);
}

void GuardedAnswer::take(StreamBatch& batch, std::vector<ChoicePiece> pieces) {
  guarded(batch, [&](GuardEvents& events) {
    const std::size_t n_bytes = text_bytes(pieces);
    for (ChoicePiece& piece : pieces) {
      const int index = piece.index;
      choices_.try_emplace(index, setup_, index).first->second.take(std::move(piece));
    }
    // From here on the choices say how much waits.
    waiting_bytes_ += n_bytes;
    advance(batch, events);
    return Status();
  });
}

bool GuardedAnswer::look(StreamBatch& batch) {
  guarded(batch, [&](GuardEvents& events) {
    if (stage_ == Stage::asking || stage_ == Stage::opening) {
      if (Status status = look_at_prompt(batch, events); !status.ok()) return status;
    }
    if (stage_ == Stage::answering) advance(batch, events);
    return Status();
  });
  return stage_ != Stage::closed;
}

void GuardedAnswer::advance(StreamBatch& batch, GuardEvents& events) {
  if (stage_ != Stage::answering) return;
  std::size_t n_waiting = 0;
  for (auto& [index, choice] : choices_) {
    choice.step(batch, prompt_, events);
    n_waiting += choice.waiting_bytes();
    const bool has_failed = !events.empty() && events.back().kind == GuardEvent::Kind::failed;
    if (has_failed && !setup_.is_monitor) return close(batch);
  }
  const std::size_t before = backlog_bytes_;
  const std::size_t n_taken = waiting_bytes_ - std::min(waiting_bytes_, n_waiting);
  waiting_bytes_ = n_waiting;
  backlog_bytes_ -= std::min(before, n_taken);
  tell_of_room();
}

/// The wish is noted before the backlog is read, and read behind the backlog's change: one of the two sees
/// the other.
bool GuardedAnswer::has_room() noexcept {
  if (backlog_bytes_ <= kMaxBacklogBytes) return true;
  is_room_wanted_ = true;
  return backlog_bytes_ <= kMaxBacklogBytes;
}

void GuardedAnswer::tell_of_room() {
  if (backlog_bytes_ <= kMaxBacklogBytes && is_room_wanted_.exchange(false)) emit({});
}

void GuardedAnswer::close(StreamBatch& batch) {
  if (stage_ == Stage::closed) return;
  stage_ = Stage::closed;
  for (auto& [index, choice] : choices_) choice.close(batch);
  if (prompt_ != 0) static_cast<void>(batch.remove(prompt_));
  prompt_ = 0;
}

}  // namespace qwen3guard::server
