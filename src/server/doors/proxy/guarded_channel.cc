// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/guarded_channel.hpp"

#include <algorithm>
#include <utility>

#include "server/judging/stream_fork.hpp"

namespace qwen3guard::server {
namespace {

Status first_error(Status a, Status b) { return a.ok() ? std::move(b) : std::move(a); }

}  // namespace

/// The assistant's turn of a fork of the prompt's session, or the channel's own turn once more.
Status GuardedChannel::open(StreamBatch& batch, StreamId prompt) {
  if (id_ == 0) {
    Result<StreamId> id = add_fork(batch, prompt);
    if (!id.ok()) return std::move(id).error();
    id_ = *id;
  } else {
    // What comes is judged behind what came, in one turn: text cannot hide by being cut into turns.
    Status inner;
    Status outer = batch.visit(id_, [&](StreamSession& session) {
      const StreamMark end = session.mark();
      const Result<StreamUpdate> update = session.rewind({end.turn, end.n_units, false});
      if (!update.ok()) inner = update.error();
    });
    if (Status status = first_error(std::move(outer), std::move(inner)); !status.ok()) return status;
  }
  Result<HoldBack> hold_back = HoldBack::over(batch, id_, setup_.hold_back);
  if (!hold_back.ok()) return std::move(hold_back).error();
  hold_back_.emplace(std::move(*hold_back));
  is_finishing_ = false;
  progress_time_ = Clock::now();
  return {};
}

Status GuardedChannel::put(StreamBatch& batch, std::string& text, bool ends) {
  std::size_t n_put = 0;
  Status status;
  while (n_put < text.size() && status.ok() && hold_back_->state() == HoldBackState::writing) {
    const std::size_t n = std::min(kPushBytes, text.size() - n_put);
    status = hold_back_->put({text.data() + n_put, n});
    if (status.ok()) n_put += n;
  }
  if (setup_.keeps_text) text_.append(text, 0, n_put);
  text.erase(0, n_put);
  put_bytes_ += static_cast<std::int64_t>(n_put);
  if (status.ok() && text.empty() && ends && !is_finishing_ &&
      hold_back_->state() == HoldBackState::writing) {
    status = hold_back_->finish();
    is_finishing_ = status.ok();
  }
  // There is no room for it yet: check_time() says when that is too long.
  const bool is_full = !status.ok() && status.error().code == ErrorCode::budget_exceeded;
  return is_full ? check_time(batch, true) : std::move(status);
}

/// Silence is no verdict: an error when something waits and nothing was judged for as long as is allowed.
Status GuardedChannel::check_time(StreamBatch& batch, bool has_more) {
  std::int64_t n_bytes = 0;
  Status status = batch.visit(id_, [&](StreamSession& session) { n_bytes = session.turn_bytes(); });
  if (!status.ok()) return status;
  const bool is_idle = n_bytes == put_bytes_ && !is_finishing_ && !has_more;
  const auto now = Clock::now();
  if (is_idle || n_bytes != std::exchange(judged_bytes_, n_bytes)) progress_time_ = now;
  if (now - progress_time_ <= setup_.time_limit) return {};
  return Error{ErrorCode::cancelled, "it was not judged within the time limit"};
}

GuardedChannel::Step GuardedChannel::step(StreamBatch& batch, StreamId prompt, std::string& text, bool ends) {
  Step out;
  const auto fail = [&](Error error) {
    out.state = State::unjudged;
    out.error = std::move(error);
  };
  if (!hold_back_) {
    if (Status status = open(batch, prompt); !status.ok()) return fail(std::move(status).error()), out;
  }
  if (Status status = put(batch, text, ends); !status.ok()) return fail(std::move(status).error()), out;
  Result<HoldBackRelease> release = hold_back_->take();
  if (!release.ok()) return fail(std::move(release).error()), out;
  out.text = std::move(release->text);
  switch (release->state) {
    case HoldBackState::writing:
    case HoldBackState::finishing:
      if (Status status = check_time(batch, false); !status.ok()) fail(std::move(status).error());
      break;
    case HoldBackState::blocked:
      out.state = State::blocked;
      is_judged_ = is_blocked_ = true;
      decision_ = release->block->decision;
      break;
    case HoldBackState::ended:
      out.state = State::ended;
      is_judged_ = true;
      decision_ = hold_back_->turn()->decision;
      hold_back_.reset();
      break;
    case HoldBackState::withheld:
    case HoldBackState::failed:
      fail({ErrorCode::internal, "it was not judged completely"});
      break;
  }
  return out;
}

void GuardedChannel::close(StreamBatch& batch) {
  hold_back_.reset();
  if (id_ != 0) static_cast<void>(batch.remove(id_));
  id_ = 0;
}

}  // namespace qwen3guard::server
