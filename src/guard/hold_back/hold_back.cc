// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/hold_back.hpp"

#include <utility>

#include "guard/hold_back/hold_back_impl.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"

namespace qwen3guard {
namespace {

Status check_hold_back_options(const HoldBackOptions& options) {
  const auto bad = [](const char* name, const char* expected) {
    return detail::error(ErrorCode::invalid_argument, "options.", name, ": expected ", expected);
  };
  if (options.buffer_tokens < 0) return bad("buffer_tokens", "0 or more");
  if (options.max_retries < 0) return bad("max_retries", "0 or more");
  if (!(options.release_after_ms >= 0)) return bad("release_after_ms", "0 or more");
  if (options.deadline_ms != options.deadline_ms) return bad("deadline_ms", "a number");
  return {};
}

}  // namespace

const char* to_string(HoldBackState state) noexcept {
  switch (state) {
    case HoldBackState::writing:
      return "writing";
    case HoldBackState::finishing:
      return "finishing";
    case HoldBackState::blocked:
      return "blocked";
    case HoldBackState::ended:
      return "ended";
    case HoldBackState::withheld:
      return "withheld";
    case HoldBackState::failed:
      break;
  }
  return "failed";
}

HoldBackState HoldBack::Impl::state() const noexcept {
  if (is_over_) return HoldBackState::withheld;
  if (held_.is_withheld()) {
    return source_->turn() ? HoldBackState::withheld : HoldBackState::finishing;
  }
  if (!error_.ok() || held_.has_failed()) return HoldBackState::failed;
  if (held_.is_blocked()) return HoldBackState::blocked;
  if (held_.is_free())
    return held_.shown_end() == held_.end_byte() ? HoldBackState::ended : HoldBackState::finishing;
  return is_finishing_ ? HoldBackState::finishing : HoldBackState::writing;
}

Status HoldBack::Impl::fail(Status status) noexcept {
  held_.fail();
  if (error_.ok()) error_ = detail::copy_of(status);
  return status;
}

Status HoldBack::Impl::check_open(const char* what) const {
  if (!error_.ok()) return detail::copy_of(error_);
  const HoldBackState now = state();
  if (now == HoldBackState::writing) return {};
  return detail::error(ErrorCode::invalid_argument, "hold back: ", what, " of an answer that is ",
                       to_string(now),
                       now == HoldBackState::blocked ? "; expected retry() or withdraw()" : "");
}

Status HoldBack::Impl::put(std::string_view text) {
  Q3G_TRY(check_open("more text"));
  if (text.empty()) return {};
  held_.put(text, time_->now());
  Status status = source_->push(text, held_);
  if (status.ok()) return {};
  if (status.error().code != ErrorCode::budget_exceeded) return fail(std::move(status));
  held_.take_back_put(text.size());
  return status;
}

Result<HoldBackRelease> HoldBack::Impl::take(double timeout_ms, std::size_t max_bytes) {
  if (!error_.ok()) return error_.error();
  Status status;
  // What comes behind the turn's end is about others.
  if (!is_over_ && !source_->turn()) status = source_->poll(timeout_ms, held_);
  if (!status.ok() && held_.is_withheld()) {
    is_over_ = true;  // the turn of what was withdrawn cannot be ended
    return std::move(status).error();
  }
  if (status.ok() && held_.has_failed() && !held_.is_withheld()) {
    status =
        Error{ErrorCode::invalid_argument, "hold back: the session was changed by somebody else meanwhile"};
  }
  if (!status.ok()) return fail(std::move(status)).error();
  HoldBackRelease out = held_.take(time_->now(), max_bytes);
  out.state = state();
  if (out.has_more && out.state == HoldBackState::blocked) out.state = HoldBackState::writing;
  return out;
}

Status HoldBack::Impl::finish() {
  Q3G_TRY(check_open("the end"));
  Status status = source_->end_turn(held_);
  if (status.ok()) {
    is_finishing_ = true;
    return {};
  }
  if (status.error().code == ErrorCode::budget_exceeded) return status;
  return fail(std::move(status));
}

Status HoldBack::Impl::retry(std::int64_t byte) {
  if (!error_.ok()) return detail::copy_of(error_);
  if (held_.is_withheld() || !held_.has_block())
    return Error{ErrorCode::invalid_argument, "hold back: a retry, and nothing is blocked"};
  if (held_.is_prompt_blocked())
    return Error{ErrorCode::invalid_argument, "hold back: a retry, and it is the prompt that is blocked"};
  if (held_.retries_left() <= 0)
    return Error{ErrorCode::invalid_argument, "hold back: no retries are left; expected withdraw()"};
  const std::int64_t place = byte < 0 ? held_.shown_end() : byte;
  if (place < held_.begin_byte() || place > held_.end_byte()) {
    return detail::error(ErrorCode::invalid_argument, "hold back: a retry from byte ", place, "; expected ",
                         held_.begin_byte(), " to ", held_.end_byte());
  }
  Q3G_TRY(source_->rewind(place, held_));
  held_.note_retry();
  is_finishing_ = false;
  return {};
}

Status HoldBack::Impl::withdraw() {
  if (is_over_ || held_.is_withheld() || held_.is_free())
    return detail::error(ErrorCode::invalid_argument, "hold back: the answer has ended already");
  Status status = source_->rewind(held_.shown_end(), held_);
  if (status.ok()) status = source_->end_turn(held_);
  if (!status.ok() && status.error().code == ErrorCode::budget_exceeded) return status;
  held_.withhold();
  error_ = {};
  is_finishing_ = true;
  is_over_ = !status.ok();
  return status;
}

Result<HoldBack> HoldBack::Impl::over(StreamSession& session, const HoldBackOptions& options,
                                      std::shared_ptr<detail::TimeSource> time) {
  Q3G_TRY(check_hold_back_options(options));
  Q3G_ASSIGN(detail::OpenedSource opened, detail::open_session_source(session, *session.impl_));
  return HoldBack(std::make_unique<Impl>(options, std::move(opened), std::move(time)));
}

Result<HoldBack> HoldBack::Impl::over(StreamBatch& batch, StreamId id, const HoldBackOptions& options,
                                      std::shared_ptr<detail::TimeSource> time) {
  Q3G_TRY(check_hold_back_options(options));
  Q3G_ASSIGN(detail::OpenedSource opened,
             detail::open_batch_source(batch, *batch.impl_, id, options.deadline_ms));
  auto impl = std::make_unique<Impl>(options, std::move(opened), std::move(time));
  return HoldBack(std::move(impl));
}

Result<HoldBack> HoldBack::Impl::over(std::unique_ptr<detail::HoldBackSource> source,
                                      const HoldBackOptions& options,
                                      std::shared_ptr<detail::TimeSource> time) {
  Q3G_TRY(check_hold_back_options(options));
  detail::OpenedSource opened;
  opened.source = std::move(source);
  return HoldBack(std::make_unique<Impl>(options, std::move(opened), std::move(time)));
}

HoldBack::HoldBack(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
HoldBack::HoldBack(HoldBack&&) noexcept = default;
HoldBack& HoldBack::operator=(HoldBack&&) noexcept = default;
HoldBack::~HoldBack() = default;

Result<HoldBack> HoldBack::over(StreamSession& session, const HoldBackOptions& options) {
  return detail::guarded(
      "hold back", [&] { return Impl::over(session, options, std::make_shared<detail::TimeSource>()); });
}
Result<HoldBack> HoldBack::over(StreamBatch& batch, StreamId id, const HoldBackOptions& options) {
  return detail::guarded(
      "hold back", [&] { return Impl::over(batch, id, options, std::make_shared<detail::TimeSource>()); });
}

Status HoldBack::put(std::string_view text) {
  return Impl::changing(*impl_, [&] { return impl_->put(text); });
}
Result<HoldBackRelease> HoldBack::take(double timeout_ms, std::size_t max_bytes) {
  return Impl::changing(*impl_, [&] { return impl_->take(timeout_ms, max_bytes); });
}
Status HoldBack::finish() {
  return Impl::changing(*impl_, [&] { return impl_->finish(); });
}
Status HoldBack::retry(std::int64_t byte) {
  return Impl::changing(*impl_, [&] { return impl_->retry(byte); });
}
Status HoldBack::withdraw() {
  return Impl::changing(*impl_, [&] { return impl_->withdraw(); });
}
HoldBackState HoldBack::state() const noexcept { return impl_->state(); }
HoldBackStats HoldBack::stats() const noexcept { return impl_->stats(); }
const TurnVerdict* HoldBack::turn() const noexcept {
  const auto& turn = impl_->source().turn();
  return turn ? &*turn : nullptr;
}
const TurnVerdict* HoldBack::prompt() const noexcept {
  const auto& prompt = impl_->source().prompt();
  return prompt ? &*prompt : nullptr;
}

}  // namespace qwen3guard
