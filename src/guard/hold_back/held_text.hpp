// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_HOLD_BACK_HELD_TEXT_HPP
#define QWEN3GUARD_SRC_GUARD_HOLD_BACK_HELD_TEXT_HPP

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>

#include "guard/batch/time_source.hpp"
#include "qwen3guard/hold_back.hpp"

namespace qwen3guard::detail {

/// Whether the policy holds back what this is about. @{
[[nodiscard]] inline bool blocks(const TokenVerdict& token) noexcept { return token.action == Action::block; }
[[nodiscard]] inline bool blocks(const Decision& decision) noexcept {
  return decision.action == Action::block;
}  /// @}

/// What a policy blocks of an answer. (Not within the class: Clang 14 knows its defaults only behind that.)
struct FoundBlock {
  Decision decision;
  bool is_settled = false;
  std::size_t token = 0;  // the first one that is blocked, by its index in the turn
  std::int64_t byte_begin = 0;
};

/// The text of an answer that was put and not shown, and what is known of it. Knows verdicts, and no session:
/// who judges the text tells of it. Functions that are not noexcept may throw std::bad_alloc. Not
/// thread-safe.
class HeldText {
 public:
  using TimePoint = TimeSource::TimePoint;

  /// begin_byte: what the turn had before counts as shown. first_token: of the turn, that the first update()
  /// will have.
  HeldText(const HoldBackOptions& options, std::int64_t begin_byte, std::size_t first_token)
      : options_(options), begin_byte_(begin_byte), shown_end_(begin_byte), first_token_(first_token) {}

  // What the host does.
  void put(std::string_view bytes, TimePoint now);
  /// The last n bytes, of the last put(), were not taken by the one who judges.
  void take_back_put(std::size_t n) noexcept;
  [[nodiscard]] HoldBackRelease take(TimePoint now, std::size_t max_bytes);
  /// Nothing of it is known any more from `byte` on, as if it had not been put; the turn is open. update,
  /// decision: of the session, behind the rewind.
  void rewind(std::int64_t byte, const StreamUpdate& update, const Decision& decision);
  /// Nothing leaves any more, whatever becomes known. @{
  void withhold() noexcept;
  void fail() noexcept { has_failed_ = true; }  /// @}

  // What becomes known. A block that is settled stands until rewind(). @{
  void update(const StreamUpdate& update, const Decision& decision);
  void end(const StreamUpdate& update, const Decision& decision);
  void judge_prompt(const Decision& decision);
  void note_overdue() noexcept { ++stats_.n_overdue, is_overdue_ = true; }  /// @}

  [[nodiscard]] bool has_failed() const noexcept { return has_failed_; }
  /// Something is blocked, settled or not; what is, is settled. @{
  [[nodiscard]] bool has_block() const noexcept { return block_.has_value() || prompt_is_blocked_; }
  [[nodiscard]] bool is_blocked() const noexcept {
    return prompt_is_blocked_ || (block_ && block_->is_settled);
  }  /// @}
  [[nodiscard]] bool is_prompt_blocked() const noexcept { return prompt_is_blocked_; }
  /// The turn is over, and all of its text may be shown; it is over, and no more may. @{
  [[nodiscard]] bool is_free() const noexcept { return is_free_; }
  [[nodiscard]] bool is_withheld() const noexcept { return is_withheld_; }  /// @}
  [[nodiscard]] std::int64_t begin_byte() const noexcept { return begin_byte_; }
  [[nodiscard]] std::int64_t shown_end() const noexcept { return shown_end_; }
  [[nodiscard]] std::int64_t end_byte() const noexcept {
    return shown_end_ + static_cast<std::int64_t>(text_.size());
  }
  [[nodiscard]] std::int32_t retries_left() const noexcept { return options_.max_retries - stats_.n_retries; }
  void note_retry() noexcept { ++stats_.n_retries; }
  [[nodiscard]] HoldBackStats stats() const noexcept;

 private:
  /// A token of the guard's that reaches beyond what was shown.
  struct Token {
    std::int64_t byte_begin = 0, byte_end = 0;
    bool is_blocked = false;  // the policy blocks from here on
    bool is_written = false;  // with a verdict of its own, on all text up to it
  };
  struct Put {
    std::int64_t byte_end = 0;
    TimePoint time;
  };

  void apply(const StreamUpdate& update);
  void look(const Decision& decision, bool has_ended);
  [[nodiscard]] std::int64_t take_back_begin(const Decision& decision, std::size_t token) const noexcept;
  [[nodiscard]] std::size_t n_tokens() const noexcept { return first_token_ + tokens_.size(); }
  [[nodiscard]] std::int64_t free_end(TimePoint now) const noexcept;
  [[nodiscard]] std::int64_t old_end(TimePoint now) const noexcept;
  void note_withdrawn(std::int64_t byte) noexcept;
  void note_shown(std::int64_t end, TimePoint now) noexcept;
  [[nodiscard]] HoldBackBlock block() const;

  const HoldBackOptions options_;
  const std::int64_t begin_byte_;
  std::int64_t shown_end_;       // in the turn's text, as all of these
  std::int64_t judged_end_ = 0;  // nothing beyond was judged
  std::string text_;             // from shown_end_ on
  std::deque<Put> puts_;         // of text_
  std::deque<Token> tokens_;
  std::size_t first_token_ = 0;  // the index in the turn of the first one
  std::size_t n_settled_ = 0;
  std::optional<std::size_t> blocked_token_;  // the first one
  std::optional<FoundBlock> block_;
  bool prompt_is_blocked_ = false, is_free_ = false, is_withheld_ = false, has_failed_ = false;
  bool is_overdue_ = false;
  HoldBackStats stats_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_HOLD_BACK_HELD_TEXT_HPP
