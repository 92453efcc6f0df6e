// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/incremental_encoder.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>

#include "tokenizer/nfc.hpp"
#include "tokenizer/text_encoder.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/error.hpp"
#include "util/rollback.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// True when nothing in `text` starts a part of its own for NFC, but for a character that is not complete.
bool only_joins(std::string_view text) noexcept {
  for (std::size_t pos = 0; pos < text.size();) {
    const Utf8Step step = utf8_step(text, pos);
    if (step.complete ? starts_nfc_part(step.code_point) : !step.truncated) return false;
    pos += step.n_bytes;
  }
  return true;
}

/// First byte of what is ill-formed, whatever follows; nothing when there is none.
std::optional<std::size_t> find_ill_formed(std::string_view text) noexcept {
  const auto bad = find_invalid_utf8(text);
  return bad && utf8_step(text, *bad).truncated ? std::nullopt : bad;
}

bool ends_line(char c) noexcept { return c == '\r' || c == '\n'; }

/// vector::reserve, though not for one more at a time.
template <class T>
void reserve_more(std::vector<T>& v, std::size_t n) {
  if (n > v.capacity()) v.reserve(std::max(n, 2 * v.capacity()));
}

std::ptrdiff_t at(std::size_t n) noexcept { return static_cast<std::ptrdiff_t>(n); }

}  // namespace

TokenCut IncrementalEncoder::cut_at(std::size_t n_cuts) const noexcept {
  if (n_cuts > 0) return cuts_[n_cuts - 1];
  return {dropped_bytes_, dropped_tokens_, 0, dropped_tokens_, WordPart::none};
}

std::optional<WordRest> IncrementalEncoder::rest_at(const TokenCut& cut) const noexcept {
  if (cut.part == WordPart::none) return WordRest{};
  const std::size_t i = cut.n_tokens - dropped_tokens_;
  if (i >= ids_.size()) return std::nullopt;
  return WordRest{cut.part, ids_[i]};
}

std::size_t IncrementalEncoder::cuts_before(std::size_t n_cuts, Encoded why) const noexcept {
  --n_cuts;
  if (why == Encoded::other_word) {
    while (n_cuts > 0 && cuts_[n_cuts - 1].part == WordPart::spaces_behind_newline) --n_cuts;
  }
  return n_cuts;
}

std::size_t IncrementalEncoder::settled_cuts(std::size_t n_tokens) const noexcept {
  const auto end = std::upper_bound(cuts_.begin(), cuts_.end(), n_tokens,
                                    [](std::size_t n, const TokenCut& c) { return n < c.n_tokens; });
  if (end == cuts_.begin()) return 0;
  // The first cut with so many tokens before it is the one between words.
  const auto cut = std::lower_bound(cuts_.begin(), end, std::prev(end)->n_settled,
                                    [](const TokenCut& c, std::size_t n) { return c.n_tokens < n; });
  return cut->part == WordPart::none ? static_cast<std::size_t>(cut - cuts_.begin()) + 1 : 0;
}

IncrementalEncoder::Tail IncrementalEncoder::encode_tail(std::size_t& n_cuts, std::size_t end,
                                                         Encode what) const {
  const TokenizerImpl& tokenizer = TokenizerAccess::impl(tokenizer_);
  Tail tail;
  for (Encoded result = Encoded::other_tokens;; n_cuts = cuts_before(n_cuts, result)) {
    const TokenCut from = cut_at(n_cuts);
    const auto rest = rest_at(from);
    if (!rest) continue;
    const std::size_t begin = from.byte - dropped_bytes_, n_bytes = end - from.byte;
    tail.text = replaced_text(std::string_view(text_).substr(begin, n_bytes),
                              what == Encode::complete && invalid_utf8_ == InvalidUtf8::replace);
    std::string& utf8 = tail.text.utf8;
    OpenSequence open = open_sequence(tokenizer, utf8);
    if (what == Encode::half_of_marks && open.n_characters >= 2 * kMinOpenCharacters) {
      std::size_t half = open.begin;
      open.n_characters /= 2;
      for (std::size_t i = 0; i < open.n_characters; ++i) static_cast<void>(next_code_point(utf8, half));
      utf8.resize(half);
    }
    tail.is_open_long = open.n_characters >= kMinOpenCharacters;
    tail.hold_until = end + (utf8.size() - open.begin);
    tail.n_incomplete_bytes = n_bytes - tail.text.map.end_of(utf8.size());
    const bool follows_newline = begin > 0 && ends_line(text_[begin - 1]);
    result = encode_with_cuts(tokenizer, utf8, *rest, follows_newline, tail.tokens);
    if (result == Encoded::whole) return tail;
  }
}

void IncrementalEncoder::encode(std::size_t n_cuts, std::size_t end, std::size_t n_old_text, Encode what) {
  Tail tail = encode_tail(n_cuts, end, what);
  const TokenCut from = cut_at(n_cuts);
  const auto range = [&](ByteRange r) -> ByteRange {
    r = tail.text.range(r);
    return {from.byte + r.begin, from.byte + r.end};
  };
  std::vector<TokenId>& ids = tail.tokens.ids;
  std::vector<ByteRange>& ranges = tail.tokens.ranges;
  std::vector<TokenCut>& cuts = tail.tokens.cuts;
  for (ByteRange& r : ranges) r = range(r);
  std::size_t n_settled = from.n_settled;
  for (TokenCut& cut : cuts) {
    cut.byte = range({cut.byte, cut.byte}).begin;
    cut.n_tokens += from.n_tokens;
    cut.needs = range({cut.needs, cut.needs}).end;
    if (cut.part == WordPart::none) n_settled = cut.n_tokens;
    cut.n_settled = n_settled;
  }
  // The cut that was the last one is of no more use when the next is as near to the one before it.
  if (n_cuts >= 2 && !cuts.empty()) {
    const bool is_near = cuts.front().byte - cuts_[n_cuts - 2].byte <= kCutBytes;
    const bool is_before_word = from.part == WordPart::none && cuts.front().part != WordPart::none;
    if (is_near && !is_before_word) --n_cuts;
  }

  // All memory first: from here on nothing fails.
  const std::size_t n_before = from.n_tokens - dropped_tokens_;
  const std::size_t n_text = std::min(end - dropped_bytes_, n_old_text);
  Undo undo{n_before,
            n_cuts,
            n_text,
            {ids_.begin() + at(n_before), ids_.end()},
            {ranges_.begin() + at(n_before), ranges_.end()},
            {cuts_.begin() + at(n_cuts), cuts_.end()},
            end - dropped_bytes_ < n_old_text ? text_.substr(n_text, n_old_text - n_text) : std::string(),
            n_incomplete_bytes_,
            hold_until_,
            is_finished_};
  reserve_more(ids_, n_before + ids.size());
  reserve_more(ranges_, n_before + ids.size());
  reserve_more(cuts_, n_cuts + cuts.size());
  n_unchanged_ = n_before;
  for (std::size_t i = 0; n_unchanged_ < ids_.size() && i < ids.size(); ++i, ++n_unchanged_) {
    if (ids_[n_unchanged_] != ids[i] || ranges_[n_unchanged_] != ranges[i]) break;
  }
  n_unchanged_ += dropped_tokens_;
  ids_.resize(n_before);
  ids_.insert(ids_.end(), ids.begin(), ids.end());
  ranges_.resize(n_before);
  ranges_.insert(ranges_.end(), ranges.begin(), ranges.end());
  cuts_.resize(n_cuts);
  cuts_.insert(cuts_.end(), cuts.begin(), cuts.end());
  text_.resize(end - dropped_bytes_);
  n_incomplete_bytes_ = tail.n_incomplete_bytes;
  hold_until_ = tail.is_open_long ? tail.hold_until : 0;
  is_finished_ = what == Encode::complete;
  undo_ = std::move(undo);
}

void IncrementalEncoder::change_without_tokens(std::size_t end, std::size_t n_old_text,
                                               std::size_t n_incomplete_bytes) {
  const std::size_t n_text = std::min(end - dropped_bytes_, n_old_text);
  std::string taken = text_.substr(n_text, n_old_text - n_text);
  undo_ = {ids_.size(),      cuts_.size(),        n_text,      {},          {}, {},
           std::move(taken), n_incomplete_bytes_, hold_until_, is_finished_};
  text_.resize(end - dropped_bytes_);
  n_incomplete_bytes_ = n_incomplete_bytes;
  n_unchanged_ = n_tokens();
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
  n_incomplete_bytes_ = undo_.n_incomplete_bytes;
  hold_until_ = undo_.hold_until;
  is_finished_ = undo_.is_finished;
}

Status IncrementalEncoder::append(std::string_view bytes) {
  if (is_finished_)
    return Error{ErrorCode::invalid_argument, "text: the turn was ended; expected nothing behind it"};
  const std::size_t before = text_.size(), begin = before - incomplete_bytes(text_);
  text_.append(bytes);
  Rollback appended([&] { text_.resize(before); });
  const std::string_view fresh = std::string_view(text_).substr(begin);
  if (const auto bad = invalid_utf8_ == InvalidUtf8::reject ? find_ill_formed(fresh) : std::nullopt) {
    return error(ErrorCode::invalid_utf8, "text: ill-formed UTF-8 at byte ",
                 dropped_bytes_ + begin + *bad - n_prefix_bytes_);
  }
  if (n_bytes() < hold_until_ && only_joins(fresh)) {
    change_without_tokens(n_bytes(), before, n_incomplete_bytes_ + bytes.size());
  } else {
    encode(cuts_.size(), n_bytes(), before, Encode::all);
  }
  appended.keep();
  return {};
}

bool IncrementalEncoder::exceeds(std::string_view bytes, std::size_t max_tokens) const {
  constexpr std::size_t kFewBytes = 4096;
  const TokenizerImpl& tokenizer = TokenizerAccess::impl(tokenizer_);
  if (is_finished_ || bytes.size() <= kFewBytes) return false;
  const TokenCut settled = cut_at(settled_cuts(n_tokens()));
  if (settled.n_tokens > max_tokens) return true;
  // A character at the end that is not complete has no token yet.
  const std::size_t n_open_bytes = n_bytes() - settled.byte + bytes.size() - 3;
  if (n_open_bytes > tokenizer.max_text_bytes(max_tokens - settled.n_tokens)) return true;
  std::size_t n_cuts = cuts_.size();
  for (Encoded result = Encoded::other_tokens;; n_cuts = cuts_before(n_cuts, result)) {
    const TokenCut from = cut_at(n_cuts);
    const auto rest = rest_at(from);
    if (!rest) continue;
    const std::string_view tail = std::string_view(text_).substr(from.byte - dropped_bytes_);
    std::string text;
    text.reserve(tail.size() + bytes.size());
    text.append(tail).append(bytes);
    text.resize(text.size() - incomplete_bytes(text));
    if (invalid_utf8_ == InvalidUtf8::replace) text = replace_invalid_utf8(text);
    if (find_invalid_utf8(text)) return false;
    if (text.size() >= std::numeric_limits<std::uint32_t>::max()) return true;
    std::vector<TokenId> ids;
    EncodeScratch scratch;
    IdSink sink{ids};
    // Those before a cut inside a word are not certain: a few more, so that what is compared is the whole.
    const std::size_t n_most = max_tokens - std::min(max_tokens, from.n_tokens) + kCutBytes;
    result =
        TextEncoder<IdSink>(tokenizer, SpecialTokens::as_text, n_most, scratch, sink).encode(text, *rest);
    if (result == Encoded::too_many) return true;
    if (result == Encoded::whole) return from.n_tokens + ids.size() > max_tokens;
  }
}

Status IncrementalEncoder::finish() {
  if (!is_finished_) encode(cuts_.size(), n_bytes(), text_.size(), Encode::complete);
  return {};
}

Status IncrementalEncoder::truncate(std::size_t n) {
  const std::size_t n_covered = n_bytes() - n_incomplete_bytes_;
  // Without what follows, bytes that were replaced may be the beginning of a character again.
  const std::string_view shorter = std::string_view(text_).substr(0, n - dropped_bytes_);
  if (!is_finished_ && n >= n_covered + incomplete_bytes(shorter)) {
    change_without_tokens(n, text_.size(), n - n_covered);
    return {};
  }
  // The cuts that hold for the shorter text, too.
  const TokenizerImpl& tokenizer = TokenizerAccess::impl(tokenizer_);
  std::size_t n_cuts = cuts_.size();
  while (n_cuts > 0 && cuts_[n_cuts - 1].needs > n) --n_cuts;
  std::size_t back = n_cuts;
  while (n_cuts > 0) {
    while (back > 0 && cuts_[back - 1].byte + tokenizer.raw_matcher().longest_bytes() > n) --back;
    const std::size_t begin = cut_at(back).byte;
    const ReplacedText text =
        replaced_text(std::string_view(text_).substr(begin - dropped_bytes_, n - begin), false);
    const std::size_t decided = decided_bytes(tokenizer, text.utf8);
    const std::size_t decided_end = begin + text.map.end_of(decided);
    while (n_cuts > 0 && cuts_[n_cuts - 1].needs > decided_end) --n_cuts;
    // Nothing but marks up to the end: look from further back.
    if (decided > 0 || back == 0) break;
    --back;
    n_cuts = std::min(n_cuts, back);
  }
  encode(n_cuts, n, text_.size(), Encode::half_of_marks);
  return {};
}

void IncrementalEncoder::drop_before(std::size_t n_tokens) {
  const std::size_t n_cuts = settled_cuts(n_tokens);
  const TokenCut cut = cut_at(n_cuts);
  const std::size_t n = cut.n_tokens - dropped_tokens_;
  if (n == 0 || 2 * n < ids_.size()) return;
  text_.erase(0, cut.byte - dropped_bytes_);
  ids_.erase(ids_.begin(), ids_.begin() + at(n));
  ranges_.erase(ranges_.begin(), ranges_.begin() + at(n));
  cuts_.erase(cuts_.begin(), cuts_.begin() + at(n_cuts));
  dropped_bytes_ = cut.byte;
  dropped_tokens_ = cut.n_tokens;
}

}  // namespace qwen3guard::detail
