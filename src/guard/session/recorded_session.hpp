// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_SESSION_RECORDED_SESSION_HPP
#define QWEN3GUARD_SRC_GUARD_SESSION_RECORDED_SESSION_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/conversation/conversation.hpp"
#include "guard/conversation/thinking.hpp"
#include "guard/conversation/undo_log.hpp"
#include "guard/loaded/guard_impl.hpp"
#include "guard/session/stream_session_impl.hpp"
#include "guard/session/turn_record.hpp"
#include "qwen3guard/options.hpp"

namespace qwen3guard::detail {

/// What sessions over both kinds of checkpoint have: the conversation, a record of what was found out about
/// each of its turns, and the log that takes a call back. Forks share what is finished, and the open turn's
/// record until either changes it. Not thread-safe.
class RecordedSession : public StreamSession::Impl {
 public:
  [[nodiscard]] const Guard::Impl& guard() const noexcept { return *guard_; }

  [[nodiscard]] StreamMark mark() const noexcept override;
  [[nodiscard]] std::size_t first_verdict() const noexcept override;
  [[nodiscard]] std::int64_t turn_bytes() const noexcept override;
  [[nodiscard]] LastTurn last_turn() const noexcept override;
  [[nodiscard]] Decision prompt_decision() const override;
  void set_cancel(std::shared_ptr<const CancelFlag> cancel) noexcept override {
    options_.cancel = std::move(cancel);
  }
  void reset() noexcept override;

 protected:
  RecordedSession(std::shared_ptr<const Guard::Impl> guard, const StreamOptions& options,
                  const Conversation::Options& conversation);
  RecordedSession(const RecordedSession& other);

  /// The open turn's record, this session's own.
  [[nodiscard]] TurnRecord& writable();
  /// Of a turn of which nothing was judged yet. Throws std::bad_alloc.
  [[nodiscard]] std::shared_ptr<TurnRecord> empty_record() const;
  /// Of a turn that came whole and that nobody judges: of the user or the assistant, or the system's. Throws
  /// std::bad_alloc.
  [[nodiscard]] Decision unread_decision(const Message& turn) const;
  /// The lists look at the open turn's text as it is now, whose last bytes are `pushed`, and what they find
  /// is added to `update`, which gets the tokens in front of its own for which that changes something, too.
  /// To be called when nothing else of a change can fail: it is not in the log. Throws std::bad_alloc.
  void follow_lists(std::string_view pushed, StreamUpdate& update);
  /// What they find in a turn, added to a decision on it.
  void add_list_hit(const TurnRecord& record, bool has_ended, Decision& decision) const;
  /// And to the turn's tokens: from the one on in which the hit ends, the action in force is to block. While
  /// the turn is open and the hit is not settled, neither are they.
  void add_list_hit(const TurnRecord& record, bool has_ended, std::span<TokenVerdict> tokens) const;
  /// And to the ruling on a verdict on the whole turn, which is over: as classify() rules.
  void rule_by_list_hit(const TurnRecord& record, Ruling& ruling) const;
  /// The text that ids spell, where there are lists to look at it.
  [[nodiscard]] std::string spelled_for_lists(std::span<const TokenId> ids) const;
  /// Another record, or none, for the open turn.
  void set_record(std::shared_ptr<TurnRecord> record);
  /// Errors: context_full (judging stopped in the turn before).
  [[nodiscard]] Status check_not_stopped() const;
  /// The open or else the last turn; null, or the defaults, when there is none. @{
  [[nodiscard]] const TurnRecord* last_record() const noexcept;
  [[nodiscard]] Role last_role() const noexcept;  /// @}
  /// Of the conversation and the records.
  [[nodiscard]] std::size_t text_memory_bytes() const noexcept;

  std::shared_ptr<const Guard::Impl> guard_;
  StreamOptions options_;
  ThinkTokens think_;
  UndoLog log_;  // of the change under way
  Conversation conversation_;
  std::vector<std::shared_ptr<TurnRecord>> records_;  // of the finished turns
  std::shared_ptr<TurnRecord> record_;                // of the open one

 private:
  void look_for_phrases(std::string_view pushed);

  mutable bool is_record_shared_ = false;  // a fork has it, too
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_SESSION_RECORDED_SESSION_HPP
