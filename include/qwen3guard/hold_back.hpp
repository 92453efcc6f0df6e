// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_HOLD_BACK_HPP
#define QWEN3GUARD_HOLD_BACK_HPP

/// @file
/// Text that is shown only when it was judged.

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "qwen3guard/status.hpp"
#include "qwen3guard/stream_batch.hpp"
#include "qwen3guard/stream_session.hpp"
#include "qwen3guard/verdict.hpp"

namespace qwen3guard {

/// How text is held back. The defaults are those of real-time intervention in arXiv:2510.14276 (CARE). A
/// plain value.
struct HoldBackOptions {
  /// Text leaves when so many settled tokens of the guard stand behind it; at least 0.
  std::int32_t buffer_tokens = 40;
  /// Or when it was put so long ago, whatever stands behind it; 0: never for that reason. It must be judged
  /// and settled in any case.
  double release_after_ms = 0;
  std::int32_t max_retries = 5;  ///< how often retry() may be called; at least 0
  /// A block that text to come may still lift ("sex" may become "sexton") is reported, too, with
  /// HoldBackBlock::is_settled false. Without it such text is held, and reported when it is settled.
  bool reports_provisional = false;
  double deadline_ms = -1;  ///< over a StreamBatch: of each push; below 0: the batch's default
};

/// Where an answer stands.
enum class HoldBackState : std::int32_t {
  writing = 0,    ///< the host writes
  finishing = 1,  ///< over a StreamBatch: the end of the turn waits to be judged
  blocked = 2,    ///< something is blocked: retry() or withdraw()
  ended = 3,      ///< the turn has ended, and all of its text was taken
  /// The turn has ended, and what was not taken will never leave: it was withdrawn, or the turn was not
  /// judged completely. (An answer without any text is `ended`.)
  withheld = 4,
  failed = 5,  ///< the session had an error, and nothing leaves any more: withdraw()
};
/// "writing", "finishing", ... as above. Static storage.
[[nodiscard]] const char* to_string(HoldBackState state) noexcept;

/// Why text is held back for good, and where its host can go on. Bytes are offsets in the turn's text.
struct HoldBackBlock {
  Decision decision;        ///< what was found, and the ruling
  bool is_prompt = false;   ///< over a StreamBatch: the prompt is blocked, and there is nothing to retry
  bool is_settled = false;  ///< false: text to come may lift it (HoldBackOptions::reports_provisional)
  /// What is to be taken back begins here. Less than shown_bytes where the beginning was harmless until more
  /// came, or the buffer is short.
  std::int64_t byte_begin = 0;
  std::int64_t shown_bytes = 0;  ///< of the text, those that were taken, this call's among them
  /// Where the host goes on unless it says otherwise: behind what was shown, so that all that was held back
  /// is written again.
  std::int64_t continue_byte = 0;
  std::int32_t retries_left = 0;  ///< before retry() is refused
};

/// What came out.
struct HoldBackRelease {
  std::string text;  ///< goes behind what was taken before; whole characters; may be empty
  HoldBackState state = HoldBackState::writing;  ///< behind that text
  bool has_more = false;                         ///< there was no room for all that may be shown: take again
  bool is_overdue = false;  ///< over a StreamBatch: something waits past its deadline for its verdict
  double waited_ms = 0;     ///< of the oldest byte in `text`, since it was put
  std::optional<HoldBackBlock> block;  ///< state is blocked, or something is provisionally
};

/// Counters of an answer. A plain value.
struct HoldBackStats {
  /// Bytes that were put, of these taken, and of these withdrawn: by retry(), withdraw(), and at the end of a
  /// turn that was not judged completely. What is missing is held back now. @{
  std::int64_t put_bytes = 0, shown_bytes = 0, withdrawn_bytes = 0;  /// @}
  std::int64_t retracted_bytes = 0;  ///< taken, and then taken back by a retry() in front of them
  std::int32_t n_retries = 0;        ///< of retry()
  std::int32_t n_overdue = 0;        ///< deadlines that passed without a verdict
  /// Of the guard's tokens: those taken; of these such that had others behind them before they left; those
  /// taken back unseen (CARE's wait tokens); and those that are held now. @{
  std::int64_t shown_tokens = 0, delayed_tokens = 0, withdrawn_tokens = 0, held_tokens = 0;  /// @}
  /// From a put() until its last byte was taken: the sum over the texts that were, their number, and the
  /// longest. @{
  double wait_ms = 0;
  std::int64_t n_waits = 0;
  double max_wait_ms = 0;  /// @}
};

/// One answer of a host's model on its way to a person. The host puts in what the model writes and shows what
/// comes out:
///
///     HoldBack hold = HoldBack::over(session).value();       // behind session.push_prompt()
///     while (auto piece = model.next()) {
///       hold.put(*piece).throw_if_error();
///       const HoldBackRelease out = hold.take().value();
///       show(out.text);
///       if (out.state == HoldBackState::blocked) ...           // hold.retry(), or hold.withdraw() and stop
///     }
///     hold.finish().throw_if_error();                          // then take() once more
///
/// What was taken is at every time a prefix of the turn's text that was judged, is settled, and is not
/// blocked (Action::flag passes). A deadline never releases text that is not. Nothing is lost and nothing
/// comes twice; what is not blocked comes out as it was put in, byte for byte, cut between characters. A turn
/// that ends without being judged completely releases nothing more, nor does one whose session had an error.
/// When something is blocked, text leaves if it stands `buffer_tokens` in front of it; so what was shown by
/// then does not depend on how the text was cut, unless by release_after_ms, or by a buffer that is shorter
/// than the run of tokens that decides.
///
/// Thinking that is skipped (Thinking::skip) is not judged; it leaves with the answer that follows it. A host
/// that shows it has it judged.
///
/// Over a Gen checkpoint text leaves up to the last verdict that was written. Over a StreamBatch nothing
/// waits for the model: take() polls.
///
/// Move-only. Thread-safety: one thread at a time.
class HoldBack {
 public:
  /// Over a session whose assistant's turn is open. The session is borrowed and stays in its place; until the
  /// answer has ended nobody else changes it (its verdicts() may be read, to show text in their colours,
  /// say). What the turn has already counts as shown. Errors: invalid_argument (no open turn of the
  /// assistant's; an option).
  [[nodiscard]] static Result<HoldBack> over(StreamSession& session, const HoldBackOptions& options = {});
  /// Over a batch's session, which has opened the assistant's turn or has it queued (push_prompt()), without
  /// text of it that waits to be judged. The batch is borrowed; until the answer has ended nobody else pushes
  /// to the session or polls it, and events that wait for it are taken. A prompt that is not judged yet is
  /// waited for, as are turns before it, and when the prompt is blocked, so is the answer. Waits for a
  /// forward that the session is in. Errors: invalid_argument (no such session, or no such turn; text that
  /// waits; an option).
  [[nodiscard]] static Result<HoldBack> over(StreamBatch& batch, StreamId id,
                                             const HoldBackOptions& options = {});

  /// What was moved from may only be assigned to or destroyed. @{
  HoldBack(HoldBack&&) noexcept;
  HoldBack& operator=(HoldBack&&) noexcept;  /// @}
  HoldBack(const HoldBack&) = delete;
  HoldBack& operator=(const HoldBack&) = delete;
  /// Leaves the session as it is.
  ~HoldBack();

  /// What the host's model has written next: UTF-8, split anywhere, borrowed for the call. Over a session it
  /// is judged now. Errors: invalid_argument (blocked, or over); budget_exceeded (StreamBatch: nothing was
  /// put; try again); those of StreamSession::push_text(), after which nothing leaves.
  [[nodiscard]] Status put(std::string_view text);
  /// What may be shown now. timeout_ms: over a StreamBatch it waits so long for something to happen.
  /// max_bytes: at most so many; a character that does not fit stays. Errors: what the session failed with;
  /// out_of_memory.
  [[nodiscard]] Result<HoldBackRelease> take(double timeout_ms = 0,
                                             std::size_t max_bytes = std::numeric_limits<std::size_t>::max());
  /// The host's model has ended its answer: the turn is ended, and the rest may leave, or is blocked. Errors:
  /// as put().
  [[nodiscard]] Status finish();

  /// Goes on behind a block: the session is taken back to the first `byte` bytes of the turn's text, and the
  /// host puts what its model writes from there on. Below 0: HoldBackBlock::continue_byte. A host whose model
  /// goes on at a border of its own passes that; below shown_bytes, it has taken back what it showed. Errors:
  /// invalid_argument (nothing is blocked, no retries are left, no such byte, or the context has slid past
  /// it); then nothing has changed.
  [[nodiscard]] Status retry(std::int64_t byte = -1);
  /// Ends the answer here, blocked or not: what was shown stands, the rest is withdrawn, and the session's
  /// turn is ended as if that had been all. Errors: invalid_argument (it has ended); those of
  /// StreamSession::rewind() and end_turn(): then the answer has ended all the same, and the session has more
  /// in its past than was shown: reset it. budget_exceeded (StreamBatch: try again).
  [[nodiscard]] Status withdraw();

  /// Where the answer stands, as far as is known. Over a StreamBatch take() finds out.
  [[nodiscard]] HoldBackState state() const noexcept;
  /// The counters now.
  [[nodiscard]] HoldBackStats stats() const noexcept;
  /// What the answer came to; empty before its end. Valid until the next call.
  [[nodiscard]] const TurnVerdict* turn() const noexcept;
  /// Over a StreamBatch: what the prompt came to, where its event was taken. Valid until the next call.
  [[nodiscard]] const TurnVerdict* prompt() const noexcept;

  class Impl;  ///< internal

 private:
  explicit HoldBack(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

}  // namespace qwen3guard

#endif  // QWEN3GUARD_HOLD_BACK_HPP
