// SPDX-License-Identifier: Apache-2.0
#include "guard/lists/phrase_scanner.hpp"

#include <algorithm>

namespace qwen3guard::detail {

void PhraseScanner::push(std::string_view text) {
  n_bytes_ += static_cast<std::int64_t>(text.size());
  // In pieces, so that a long text is not held as a tape.
  constexpr std::size_t kPieceBytes = 8192;
  for (std::size_t pos = 0; pos < text.size() && !settled_; pos += kPieceBytes)
    push_piece(text.substr(pos, kPieceBytes));
}

void PhraseScanner::push_piece(std::string_view piece) {
  chars_.clear();
  folder_.push(piece, chars_);
  tape_.push(chars_);
  chars_.clear();
  const auto found = matcher_.find_on(tape_, from_, tape_.size());
  if (found && found->is_settled) {
    settled_ = matcher_.resolve(tape_, *found);
    return;
  }
  forget(found ? found->first_begin : tape_.size());
}

void PhraseScanner::forget(std::size_t first_hit) {
  const std::size_t allow_span = matcher_.allow_span();
  const std::size_t span = std::max(matcher_.deny_span(), allow_span);
  if (tape_.size() <= span) return;
  from_ = std::max(from_, std::min(first_hit, tape_.size() - span));
  // Phrases of `allow` may begin before those that they cover. Not at every call: it moves what is left.
  const std::size_t kept = from_ - std::min(from_, allow_span);
  if (kept < span + 256) return;
  tape_.drop(kept);
  from_ -= kept;
}

std::optional<ScannedHit> PhraseScanner::hit() const {
  if (settled_) return ScannedHit{*settled_, true};
  Folder folder = folder_;
  std::vector<FoldedChar> rest;
  folder.finish(rest);
  MatchTape tape = tape_;
  tape.push(rest);
  tape.finish();
  const auto found = matcher_.find_on(tape, from_, tape_.size());
  if (!found) return std::nullopt;
  return ScannedHit{matcher_.resolve(tape, *found), found->is_settled};
}

}  // namespace qwen3guard::detail
