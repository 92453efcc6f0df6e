// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LISTS_LIST_TRACK_HPP
#define QWEN3GUARD_SRC_GUARD_LISTS_LIST_TRACK_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "guard/lists/phrase_scanner.hpp"

namespace qwen3guard::detail {

/// A turn's text as phrases are looked for in it, which grows and is taken back. Keeps the text, and a
/// scanner for every few thousand bytes of it. A plain value: a fork's copy goes its own way.
class ListTrack {
 public:
  /// The matcher has deny phrases.
  explicit ListTrack(PhraseMatcher matcher) : matcher_(std::move(matcher)), scanner_(matcher_) {}

  /// The text goes on. Throws std::bad_alloc; nothing has changed then.
  void push(std::string_view bytes);
  /// Goes back to the first n bytes; does nothing when there are no more. Throws std::bad_alloc; nothing has
  /// changed then.
  void truncate(std::int64_t n);
  /// Nobody will go back to less than the first n bytes: lets go of most of these. Throws nothing.
  void forget(std::int64_t n) noexcept;
  /// The first hit if the text ended here.
  [[nodiscard]] const std::optional<ScannedHit>& hit() const noexcept { return hit_; }
  [[nodiscard]] std::int64_t n_bytes() const noexcept {
    return begin_ + static_cast<std::int64_t>(text_.size());
  }
  [[nodiscard]] std::size_t memory_bytes() const noexcept;

 private:
  static constexpr std::int64_t kMarkEvery = 4096;

  PhraseMatcher matcher_;
  std::int64_t begin_ = 0;  // of what is kept of the text: 0, or where a mark stands
  std::string text_;
  std::vector<PhraseScanner> marks_;  // ascending; where they stand they say themselves
  PhraseScanner scanner_;             // behind the text
  std::optional<ScannedHit> hit_;     // its
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LISTS_LIST_TRACK_HPP
