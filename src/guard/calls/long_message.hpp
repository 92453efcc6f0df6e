// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_CALLS_LONG_MESSAGE_HPP
#define QWEN3GUARD_SRC_GUARD_CALLS_LONG_MESSAGE_HPP

#include <cstddef>
#include <list>
#include <optional>
#include <string_view>
#include <vector>

#include "guard/calls/classify_batch.hpp"
#include "guard/calls/wave.hpp"
#include "guard/conversation/text_windows.hpp"
#include "guard/loaded/shared_beginning.hpp"

namespace qwen3guard::detail {

/// A message that does not fit the context, judged in windows (LongText::windows): they are cut and put into
/// waves one after the other, and their verdicts come to the item's. Borrows the item, the guard and the
/// options. Not thread-safe; stays where it is.
class LongMessage {
 public:
  LongMessage(const Guard::Impl& guard, BatchItem& item, const ClassifyOptions& options) noexcept
      : guard_(guard), item_(item), options_(options) {}
  LongMessage(const LongMessage&) = delete;
  LongMessage& operator=(const LongMessage&) = delete;
  ~LongMessage() = default;

  /// Finds out how much room a window has, and reads what all of them begin with. Errors: context_full (the
  /// conversation before the message leaves too little room); those of Wave::place() and read().
  [[nodiscard]] Status begin(Wave& wave);
  /// True while there are windows that were not added, and none has failed.
  [[nodiscard]] bool has_more() const noexcept { return windows_ && !windows_->is_done() && !error_; }
  /// Cuts the next one and adds it. Returns how many tokens that adds to the wave. Errors: those of
  /// Wave::add(); context_full, when no window fits here.
  [[nodiscard]] Result<std::size_t> add_next(Wave& wave);
  /// A window's verdict is there, ruled on, or its error.
  void take(BatchItem& window);
  /// The item's verdict is to be an error; no further windows are cut.
  void fail(Error error);
  /// All windows were judged, or one has failed and the others that were added are done, too.
  [[nodiscard]] bool is_done() const noexcept { return !has_more() && open_.empty(); }
  /// The verdict, or the error; lets go of everything. Precondition: is_done() && !is_finished().
  [[nodiscard]] Result<Verdict> finish();
  [[nodiscard]] bool is_finished() const noexcept { return is_finished_; }
  [[nodiscard]] BatchItem& item() const noexcept { return item_; }

 private:
  struct Window {
    BatchItem item;
    std::vector<Message> messages;
    std::size_t index = 0, content_begin = 0;  // where its text begins in the message
  };
  /// The message without the thinking that is skipped.
  [[nodiscard]] std::string_view judged_text() const noexcept;
  [[nodiscard]] std::size_t overlap_tokens() const noexcept;
  /// The conversation with another text in the place of the message.
  [[nodiscard]] Result<Wave::Placed> place(Wave& wave, std::string_view text) const;
  /// Puts a window of the text into the wave. Errors: as Wave::add().
  [[nodiscard]] Result<std::size_t> add(Wave& wave, ByteRange range);
  /// The window whose verdict is kept: not judged counts as worse than Safe.
  [[nodiscard]] std::size_t worst() const noexcept;
  [[nodiscard]] std::optional<Refusal> refusal() const noexcept;

  const Guard::Impl& guard_;
  BatchItem& item_;
  const ClassifyOptions& options_;
  std::string_view text_;       // that is cut
  std::size_t text_begin_ = 0;  // in the message
  std::optional<TextWindows> windows_;
  SharedBeginning beginning_;
  std::list<Window> open_;         // added, and not judged yet
  std::vector<Verdict> judged_;    // by index
  std::vector<ByteRange> ranges_;  // of the message
  std::optional<Error> error_;
  bool is_finished_ = false;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_CALLS_LONG_MESSAGE_HPP
