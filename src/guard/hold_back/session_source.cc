// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <memory>
#include <utility>

#include "guard/hold_back/hold_back_source.hpp"
#include "guard/session/stream_session_impl.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// Verdicts come with the text.
class SessionSource final : public HoldBackSource {
 public:
  explicit SessionSource(StreamSession::Impl& session)
      : session_(session), turn_serial_(session.mark().turn) {}

  [[nodiscard]] Status push(std::string_view bytes, HeldText& held) override {
    Q3G_TRY(check_place(held.end_byte() - static_cast<std::int64_t>(bytes.size())));
    Q3G_ASSIGN(const StreamUpdate update, session_.push_text(bytes));
    held.update(update, session_.decision());
    return {};
  }

  [[nodiscard]] Status end_turn(HeldText& held) override {
    Q3G_TRY(check_place(held.end_byte()));
    StreamUpdate update;
    Q3G_ASSIGN(turn_, session_.end_turn(update));
    held.end(update, turn_->decision);
    return {};
  }

  [[nodiscard]] Status poll(double /*timeout_ms*/, HeldText& /*held*/) override { return {}; }

  [[nodiscard]] Status rewind(std::int64_t byte, HeldText& held) override {
    Q3G_ASSIGN(const StreamUpdate update, session_.rewind({turn_serial_, byte, false}));
    turn_.reset();
    held.rewind(byte, update, session_.decision());
    return {};
  }

 private:
  /// Text leaves by its place in the turn.
  [[nodiscard]] Status check_place(std::int64_t byte) const {
    if (session_.mark().turn == turn_serial_ && session_.turn_bytes() == byte) return {};
    return Error{ErrorCode::invalid_argument,
                 "hold back: the session was changed by somebody else meanwhile"};
  }

  StreamSession::Impl& session_;
  const std::uint64_t turn_serial_;
};

}  // namespace

void OpenedSource::look_at(const StreamSession& session) {
  begin_byte = session.turn_bytes();
  update.first = session.first_verdict();
  update.tokens = session.verdicts();
  update.n_settled = update.first + static_cast<std::size_t>(std::count_if(
                                        update.tokens.begin(), update.tokens.end(),
                                        [](const TokenVerdict& token) { return token.is_settled; }));
  decision = session.decision();
}

Result<OpenedSource> open_session_source(StreamSession& session, StreamSession::Impl& impl) {
  if (impl.last_turn().role != Role::assistant || session.mark().is_closed) {
    return Error{ErrorCode::invalid_argument,
                 "hold back: the session has no open turn of the assistant's; expected push_prompt() before"};
  }
  OpenedSource opened;
  opened.source = std::make_unique<SessionSource>(impl);
  opened.look_at(session);
  return opened;
}

}  // namespace qwen3guard::detail
