// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LISTS_PHRASE_SCANNER_HPP
#define QWEN3GUARD_SRC_GUARD_LISTS_PHRASE_SCANNER_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "guard/lists/phrase_matcher.hpp"

namespace qwen3guard::detail {

/// What a scanner has found.
struct ScannedHit {
  PhraseHit hit;
  /// No text that follows can change it. False: a word may go on, or a phrase of `allow` may come to cover
  /// it.
  bool is_settled = false;

  friend bool operator==(const ScannedHit&, const ScannedHit&) = default;
};

/// Looks for phrases in text that comes in pieces, cut anywhere. What it finds depends on the text so far
/// alone, not on the cuts. Holds no more of the text than a phrase can take. A plain value: a copy is a place
/// to go back to.
class PhraseScanner {
 public:
  /// The matcher has deny phrases.
  explicit PhraseScanner(PhraseMatcher matcher)
      : matcher_(std::move(matcher)), folder_(matcher_.folding()), tape_(matcher_.folding().spaced_out) {}

  /// Goes on by `text`. Nothing more is looked at once a hit is settled. Throws std::bad_alloc.
  void push(std::string_view text);
  /// The first hit if the text ended here (PhraseMatcher::find). Throws std::bad_alloc.
  [[nodiscard]] std::optional<ScannedHit> hit() const;
  /// Bytes pushed.
  [[nodiscard]] std::int64_t n_bytes() const noexcept { return n_bytes_; }
  [[nodiscard]] std::size_t memory_bytes() const noexcept { return sizeof *this + tape_.memory_bytes(); }

 private:
  void push_piece(std::string_view piece);
  void forget(std::size_t first_hit);

  PhraseMatcher matcher_;
  Folder folder_;
  MatchTape tape_;
  std::size_t from_ = 0;  // no hit that begins before it on the tape is left
  std::int64_t n_bytes_ = 0;
  std::optional<PhraseHit> settled_;
  std::vector<FoldedChar> chars_;  // empty between calls
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LISTS_PHRASE_SCANNER_HPP
