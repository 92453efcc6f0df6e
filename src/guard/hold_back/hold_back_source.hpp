// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_HOLD_BACK_HOLD_BACK_SOURCE_HPP
#define QWEN3GUARD_SRC_GUARD_HOLD_BACK_HOLD_BACK_SOURCE_HPP

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "guard/hold_back/held_text.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/stream_batch.hpp"
#include "qwen3guard/stream_session.hpp"

namespace qwen3guard::detail {

/// Who judges the text of a HoldBack. What became known goes to `held`, in the call or in a later poll().
/// Functions may throw std::bad_alloc. Not thread-safe.
class HoldBackSource {
 public:
  HoldBackSource() = default;
  HoldBackSource(const HoldBackSource&) = delete;
  HoldBackSource& operator=(const HoldBackSource&) = delete;
  virtual ~HoldBackSource() = default;

  /// Text that `held` has already. budget_exceeded: it was not taken, and may be pushed again.
  [[nodiscard]] virtual Status push(std::string_view bytes, HeldText& held) = 0;
  /// The turn ends. budget_exceeded: as push().
  [[nodiscard]] virtual Status end_turn(HeldText& held) = 0;
  /// Takes what became known since; waits for it, at most timeout_ms. An error is one of the session's.
  [[nodiscard]] virtual Status poll(double timeout_ms, HeldText& held) = 0;
  /// Takes the turn, which may have ended, back to its first `byte` bytes. What was pushed behind them is
  /// never heard of again. On error `held` has not changed.
  [[nodiscard]] virtual Status rewind(std::int64_t byte, HeldText& held) = 0;

  /// What the turn came to; empty while it is open.
  [[nodiscard]] const std::optional<TurnVerdict>& turn() const noexcept { return turn_; }
  /// What the prompt in front of it came to, where it was judged meanwhile.
  [[nodiscard]] const std::optional<TurnVerdict>& prompt() const noexcept { return prompt_; }

 protected:
  std::optional<TurnVerdict> turn_, prompt_;
};

/// A source, and what its turn has already: bytes, their verdicts, and the decision. @{
struct OpenedSource {
  std::unique_ptr<HoldBackSource> source;
  std::int64_t begin_byte = 0;
  StreamUpdate update;
  Decision decision;

  void look_at(const StreamSession& session);
};
[[nodiscard]] Result<OpenedSource> open_session_source(StreamSession& session, StreamSession::Impl& impl);
/// impl: of the batch.
[[nodiscard]] Result<OpenedSource> open_batch_source(StreamBatch& batch, StreamBatch::Impl& impl, StreamId id,
                                                     double deadline_ms);  /// @}

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_HOLD_BACK_HOLD_BACK_SOURCE_HPP
