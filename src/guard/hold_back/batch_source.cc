// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <utility>

#include "guard/batch/stream_batch_impl.hpp"
#include "guard/hold_back/hold_back_source.hpp"
#include "guard/session/stream_session_impl.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Verdicts come as events. Those of earlier turns may come first, the prompt's last of them.
class BatchSource final : public HoldBackSource {
 public:
  BatchSource(StreamBatch& batch, StreamBatch::Impl& impl, StreamId id, double deadline_ms)
      : batch_(batch), impl_(impl), id_(id), deadline_ms_(deadline_ms) {}

  /// opened: is told what the turn has.
  [[nodiscard]] Status open(OpenedSource& opened) {
    Q3G_TRY(visit(false, [&](StreamSession& session, StreamSession::Impl& impl) -> Status {
      const StreamBatch::Impl::Waiting waiting = impl_.waiting(id_);
      const StreamMark mark = session.mark();
      is_begun_ = waiting.n_begins == 0;
      const Role role = is_begun_ ? impl.last_turn().role : waiting.role;
      if (role != Role::assistant || (is_begun_ && mark.is_closed)) {
        return Error{ErrorCode::invalid_argument,
                     "hold back: the session has no turn of the assistant's that is open or waits to be; "
                     "expected push_prompt() before"};
      }
      if (waiting.has_more) {
        return Error{ErrorCode::invalid_argument,
                     "hold back: text of the answer, or its end, waits to be judged already; expected it by "
                     "put() and finish()"};
      }
      last_turn_ = mark.turn;
      if (is_begun_) {
        opened.look_at(session);
      } else {
        n_ends_ = waiting.n_ends;
        n_errors_ = waiting.n_errors;
      }
      return {};
    }));
    if (!is_begun_) return {};
    // Nothing waits: the events are about what was looked at. The last prompt among them is this answer's,
    // and nobody has seen it.
    Q3G_ASSIGN(std::vector<StreamEvent> events, batch_.poll(id_));
    for (StreamEvent& event : events) {
      if (event.kind != StreamEvent::Kind::turn_end || event.turn.role != Role::user) continue;
      prompt_ = std::move(event.turn);
      is_prompt_unseen_ = true;
    }
    return {};
  }

  [[nodiscard]] Status push(std::string_view bytes, HeldText& /*held*/) override {
    return batch_.push_text(id_, bytes, deadline_ms_);
  }

  [[nodiscard]] Status end_turn(HeldText& /*held*/) override {
    Q3G_TRY(batch_.end_turn(id_, deadline_ms_));
    is_ending_ = true;
    return {};
  }

  [[nodiscard]] Status poll(double timeout_ms, HeldText& held) override {
    if (std::exchange(is_prompt_unseen_, false)) held.judge_prompt(prompt_->decision);
    Q3G_ASSIGN(std::vector<StreamEvent> events,
               timeout_ms > 0 ? batch_.wait(id_, timeout_ms) : batch_.poll(id_));
    for (StreamEvent& event : events) Q3G_TRY(take(event, held));
    return {};
  }

  [[nodiscard]] Status rewind(std::int64_t byte, HeldText& held) override {
    StreamUpdate update;
    Decision decision;
    Q3G_TRY(visit(true, [&](StreamSession& session, StreamSession::Impl& impl) -> Status {
      const StreamMark mark = session.mark();
      is_begun_ =
          is_begun_ || (impl_.waiting(id_).n_begins == 0 && impl.last_turn().role == Role::assistant &&
                        mark.turn != last_turn_ && (is_ending_ || !mark.is_closed));
      if (!is_begun_) return {};  // and all of the answer waits behind that
      Q3G_ASSIGN(update, session.rewind({mark.turn, byte, false}));
      decision = session.decision();
      return {};
    }));
    // What the events say of the answer is about text that is gone.
    Q3G_ASSIGN(std::vector<StreamEvent> events, batch_.poll(id_));
    turn_.reset();
    is_ending_ = false;
    n_errors_ = 0;
    held.rewind(byte, update, decision);
    for (StreamEvent& event : events) {
      if (event.kind == StreamEvent::Kind::turn_end && n_ends_ > 0) end_earlier(event, held);
    }
    return {};
  }

 private:
  /// drops_waiting: of the last turn, when look() succeeds.
  template <class Visit>
  [[nodiscard]] Status visit(bool drops_waiting, const Visit& look) {
    Status inner;
    Q3G_TRY(impl_.visit(id_, [&](StreamSession& session) {
      inner = look(session, StreamBatch::Impl::impl_of(session));
      return drops_waiting && inner.ok();
    }));
    return inner;
  }

  void end_earlier(StreamEvent& event, HeldText& held) {
    --n_ends_;
    if (event.turn.role != Role::user) return;
    prompt_ = std::move(event.turn);
    if (n_ends_ == 0) held.judge_prompt(prompt_->decision);
  }

  [[nodiscard]] Status take(StreamEvent& event, HeldText& held) {
    switch (event.kind) {
      case StreamEvent::Kind::overdue:
        held.note_overdue();
        return {};
      case StreamEvent::Kind::error:
        if (n_errors_ > 0) return --n_errors_, Status();
        // Behind a block it is about text that is to be taken back.
        return held.is_blocked() ? Status() : std::move(event.status);
      case StreamEvent::Kind::update:
        if (n_ends_ == 0) held.update(event.update, event.decision);
        return {};
      case StreamEvent::Kind::turn_end:
        break;
    }
    if (n_ends_ > 0) {
      end_earlier(event, held);
    } else if (event.turn.role == Role::assistant) {
      turn_ = std::move(event.turn);
      held.end(event.update, turn_->decision);
    }
    return {};
  }

  StreamBatch& batch_;
  StreamBatch::Impl& impl_;
  const StreamId id_;
  const double deadline_ms_;
  std::uint64_t last_turn_ = 0;  // of the session, when the answer was queued or open
  // Events that are still to come: of the ends of earlier turns, and of what has failed in these. @{
  std::size_t n_ends_ = 0, n_errors_ = 0;  // @}
  bool is_begun_ = false, is_ending_ = false, is_prompt_unseen_ = false;
};

}  // namespace

Result<OpenedSource> open_batch_source(StreamBatch& batch, StreamBatch::Impl& impl, StreamId id,
                                       double deadline_ms) {
  auto source = std::make_unique<BatchSource>(batch, impl, id, deadline_ms);
  OpenedSource opened;
  Q3G_TRY(source->open(opened));
  opened.source = std::move(source);
  return opened;
}

}  // namespace qwen3guard::detail
