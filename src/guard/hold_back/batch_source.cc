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

/// Verdicts come as events. The prompt's may come first: then what comes before it is not about the answer.
class BatchSource final : public HoldBackSource {
 public:
  BatchSource(StreamBatch& batch, StreamBatch::Impl& impl, StreamId id, double deadline_ms)
      : batch_(batch), impl_(impl), id_(id), deadline_ms_(deadline_ms) {}

  /// opened: is told what the turn has.
  [[nodiscard]] Status open(OpenedSource& opened) {
    Q3G_ASSIGN(std::vector<StreamEvent> events, batch_.poll(id_));
    Q3G_TRY(visit(false, [&](StreamSession& session, StreamSession::Impl& impl) -> Status {
      const StreamMark mark = session.mark();
      const Role role = impl.last_turn().role;
      first_turn_ = mark.turn;
      is_first_turn_ = role == Role::assistant && mark.turn != 0 && !mark.is_closed;
      awaits_prompt_ = !is_first_turn_ && !(role == Role::user && mark.turn != 0 && mark.is_closed);
      if (is_first_turn_) opened.look_at(session);
      return {};
    }));
    // The events of a prompt that is waited for are still to come, also where it was judged since the look.
    if (awaits_prompt_) return {};
    // Others are about earlier turns. The last prompt among them is this answer's, and nobody has seen it.
    Q3G_ASSIGN(std::vector<StreamEvent> late, batch_.poll(id_));
    for (StreamEvent& event : late) events.push_back(std::move(event));
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

  [[nodiscard]] Status end_turn(HeldText& /*held*/) override { return batch_.end_turn(id_, deadline_ms_); }

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
      // Where the prompt still waits, so did all of the answer.
      if (impl.last_turn().role != Role::assistant || (mark.turn == first_turn_) != is_first_turn_) return {};
      Q3G_ASSIGN(update, session.rewind({mark.turn, byte, false}));
      decision = session.decision();
      return {};
    }));
    // What the events say of the answer is about text that is gone.
    Q3G_ASSIGN(std::vector<StreamEvent> events, batch_.poll(id_));
    for (StreamEvent& event : events) {
      if (awaits_prompt_) Q3G_TRY(take(event, held));
    }
    turn_.reset();
    held.rewind(byte, update, decision);
    return {};
  }

 private:
  template <class Visit>
  [[nodiscard]] Status visit(bool drops_waiting, const Visit& look) {
    Status inner;
    Q3G_TRY(impl_.visit(
        id_, [&](StreamSession& session) { inner = look(session, StreamBatch::Impl::impl_of(session)); },
        drops_waiting));
    return inner;
  }

  [[nodiscard]] Status take(StreamEvent& event, HeldText& held) {
    switch (event.kind) {
      case StreamEvent::Kind::overdue:
        held.note_overdue();
        return {};
      case StreamEvent::Kind::error:
        // Behind a block it is about text that is to be taken back.
        return held.is_blocked() ? Status() : std::move(event.status);
      case StreamEvent::Kind::update:
        if (!awaits_prompt_) held.update(event.update, event.decision);
        return {};
      case StreamEvent::Kind::turn_end:
        break;
    }
    if (event.turn.role == Role::assistant && !awaits_prompt_) {
      turn_ = std::move(event.turn);
      held.end(event.update, turn_->decision);
    } else if (event.turn.role == Role::user) {
      awaits_prompt_ = false;
      prompt_ = std::move(event.turn);
      held.judge_prompt(prompt_->decision);
    }
    return {};
  }

  StreamBatch& batch_;
  StreamBatch::Impl& impl_;
  const StreamId id_;
  const double deadline_ms_;
  std::uint64_t first_turn_ = 0;  // the last one when the answer began, which it was, or was not yet
  bool is_first_turn_ = false, awaits_prompt_ = false, is_prompt_unseen_ = false;
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
