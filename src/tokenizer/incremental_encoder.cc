// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/incremental_encoder.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "qwen3guard/detail/util/try.hpp"
#include "qwen3guard/detail/util/utf8.hpp"
#include "tokenizer/offset_map.hpp"
#include "tokenizer/tokenizer_impl.hpp"

namespace qwen3guard::detail {

/// A part of the text, ill-formed sequences replaced, and the way back to the text's bytes.
struct IncrementalEncoder::Piece {
  std::string utf8;
  OffsetMap map;
  std::size_t begin = 0;

  [[nodiscard]] ByteRange range(ByteRange r) const noexcept {
    return {begin + map.begin_of(r.begin), begin + map.end_of(r.end)};
  }
};

Status IncrementalEncoder::read(std::size_t begin, std::size_t end, bool is_complete, Piece& piece) const {
  const std::string_view text = std::string_view(text_).substr(begin - dropped_bytes_, end - begin);
  piece.begin = begin;
  std::size_t copied = 0;
  for (std::size_t pos = find_non_ascii(text); pos < text.size();) {
    const Utf8Step step = utf8_step(text, pos);
    if (step.complete) {
      pos += step.n_bytes;
      continue;
    }
    piece.utf8.append(text, copied, pos - copied);
    copied = pos + step.n_bytes;
    if (step.truncated && (!is_complete || invalid_utf8_ == InvalidUtf8::reject)) {
      copied = text.size();
      break;
    }
    if (invalid_utf8_ == InvalidUtf8::reject) {
      return Error{ErrorCode::invalid_utf8,
                   "text: ill-formed UTF-8 at byte " + std::to_string(begin + pos - n_prefix_bytes_)};
    }
    const std::size_t to = piece.utf8.size();
    piece.utf8.append(kReplacement);
    piece.map.add({pos, copied, to, piece.utf8.size()});
    pos = copied;
  }
  piece.utf8.append(text, copied);
  return {};
}

Status IncrementalEncoder::encode(std::size_t n_cuts, std::size_t end, std::size_t n_old_text,
                                  bool is_complete) {
  const TokenCut from = n_cuts > 0 ? cuts_[n_cuts - 1] : TokenCut{dropped_bytes_, dropped_tokens_, 0};
  Piece piece;
  Q3G_TRY(read(from.byte, end, is_complete, piece));
  CutTokens tail;
  encode_with_cuts(TokenizerAccess::impl(tokenizer_), piece.utf8, tail);
  for (ByteRange& range : tail.ranges) range = piece.range(range);
  // All memory first: from here on nothing fails.
  const std::size_t n_before = from.n_tokens - dropped_tokens_;
  const std::size_t n_text = std::min(end - dropped_bytes_, n_old_text);
  const auto n_kept = static_cast<std::ptrdiff_t>(n_before);
  Undo undo{n_before,
            n_cuts,
            n_text,
            {ids_.begin() + n_kept, ids_.end()},
            {ranges_.begin() + n_kept, ranges_.end()},
            {cuts_.begin() + static_cast<std::ptrdiff_t>(n_cuts), cuts_.end()},
            end - dropped_bytes_ < n_old_text ? text_.substr(n_text, n_old_text - n_text) : std::string(),
            is_finished_};
  ids_.reserve(n_before + tail.ids.size());
  ranges_.reserve(n_before + tail.ids.size());
  cuts_.reserve(n_cuts + tail.cuts.size());
  n_unchanged_ = n_before;
  for (std::size_t i = 0; n_unchanged_ < ids_.size() && i < tail.ids.size(); ++i, ++n_unchanged_) {
    if (ids_[n_unchanged_] != tail.ids[i] || ranges_[n_unchanged_] != tail.ranges[i]) break;
  }
  n_unchanged_ += dropped_tokens_;
  ids_.resize(n_before);
  ids_.insert(ids_.end(), tail.ids.begin(), tail.ids.end());
  ranges_.resize(n_before);
  ranges_.insert(ranges_.end(), tail.ranges.begin(), tail.ranges.end());
  cuts_.resize(n_cuts);
  for (const TokenCut& cut : tail.cuts) {
    const ByteRange where = piece.range({cut.byte, cut.byte});
    cuts_.push_back({where.begin, from.n_tokens + cut.n_tokens, piece.range({cut.needs, cut.needs}).end});
  }
  text_.resize(end - dropped_bytes_);
  is_finished_ = is_complete;
  undo_ = std::move(undo);
  return {};
}

void IncrementalEncoder::undo() noexcept {
  // Nothing is allocated: all of this was in these vectors before, and they do not shrink.
  ids_.resize(undo_.n_ids);
  ids_.insert(ids_.end(), undo_.ids.begin(), undo_.ids.end());
  ranges_.resize(undo_.n_ids);
  ranges_.insert(ranges_.end(), undo_.ranges.begin(), undo_.ranges.end());
  cuts_.resize(undo_.n_cuts);
  cuts_.insert(cuts_.end(), undo_.cuts.begin(), undo_.cuts.end());
  text_.resize(undo_.n_text);
  text_ += undo_.text;
  is_finished_ = undo_.is_finished;
}

Status IncrementalEncoder::append(std::string_view bytes) {
  if (is_finished_)
    return Error{ErrorCode::invalid_argument, "text: the turn was ended; expected nothing behind it"};
  const std::size_t before = text_.size();
  text_.append(bytes);
  try {
    Status status = encode(cuts_.size(), n_bytes(), before, false);
    if (!status.ok()) text_.resize(before);
    return status;
  } catch (...) {
    text_.resize(before);
    throw;
  }
}

bool IncrementalEncoder::exceeds(std::string_view bytes, std::size_t max_tokens) const {
  constexpr std::size_t kFewBytes = 4096;
  const TokenizerImpl& tokenizer = TokenizerAccess::impl(tokenizer_);
  const TokenCut from = cuts_.empty() ? TokenCut{dropped_bytes_, dropped_tokens_, 0} : cuts_.back();
  if (is_finished_ || bytes.size() <= kFewBytes) return false;
  if (from.n_tokens > max_tokens) return true;
  const std::string_view tail = std::string_view(text_).substr(from.byte - dropped_bytes_);
  // A character at the end that is not complete has no token yet.
  const std::size_t n_bytes = tail.size() + bytes.size() - 3;
  if (n_bytes > tokenizer.max_text_bytes(max_tokens - from.n_tokens)) return true;
  std::string text;
  text.reserve(tail.size() + bytes.size());
  text.append(tail).append(bytes);
  text.resize(text.size() - incomplete_bytes(text));
  if (invalid_utf8_ == InvalidUtf8::replace) text = replace_invalid_utf8(text);
  if (find_invalid_utf8(text)) return false;
  if (text.size() >= std::numeric_limits<std::uint32_t>::max()) return true;
  std::vector<TokenId> ids;
  return !encode_within(tokenizer, text, SpecialTokens::as_text, max_tokens - from.n_tokens, ids).ok();
}

std::size_t IncrementalEncoder::n_incomplete_bytes() const noexcept {
  return is_finished_ && invalid_utf8_ == InvalidUtf8::replace ? 0 : incomplete_bytes(text_);
}

Status IncrementalEncoder::finish() {
  if (is_finished_) return {};
  return encode(cuts_.size(), n_bytes(), text_.size(), true);
}

Status IncrementalEncoder::truncate(std::size_t n) {
  // The cuts that hold for the shorter text, too.
  std::size_t n_cuts = cuts_.size();
  while (n_cuts > 0 && cuts_[n_cuts - 1].needs > n) --n_cuts;
  std::size_t back = n_cuts;
  while (n_cuts > 0) {
    while (back > 0 && cuts_[back - 1].byte + AddedToken::kMaxBytes > n) --back;
    Piece piece;
    const std::size_t begin = back > 0 ? cuts_[back - 1].byte : dropped_bytes_;
    Q3G_TRY(read(begin, n, false, piece));
    const std::size_t decided = decided_bytes(TokenizerAccess::impl(tokenizer_), piece.utf8);
    const std::size_t decided_end = piece.range({decided, decided}).end;
    while (n_cuts > 0 && cuts_[n_cuts - 1].needs > decided_end) --n_cuts;
    // Nothing but marks up to the end: look from further back.
    if (decided > 0 || back == 0) break;
    --back;
    n_cuts = std::min(n_cuts, back);
  }
  return encode(n_cuts, n, text_.size(), false);
}

void IncrementalEncoder::drop_before(std::size_t n_tokens) {
  const auto after = std::upper_bound(cuts_.begin(), cuts_.end(), n_tokens,
                                      [](std::size_t n, const TokenCut& c) { return n < c.n_tokens; });
  if (after == cuts_.begin()) return;
  const TokenCut cut = *std::prev(after);
  const auto n = static_cast<std::ptrdiff_t>(cut.n_tokens - dropped_tokens_);
  text_.erase(0, cut.byte - dropped_bytes_);
  ids_.erase(ids_.begin(), ids_.begin() + n);
  ranges_.erase(ranges_.begin(), ranges_.begin() + n);
  cuts_.erase(cuts_.begin(), after);
  dropped_bytes_ = cut.byte;
  dropped_tokens_ = cut.n_tokens;
}

}  // namespace qwen3guard::detail
