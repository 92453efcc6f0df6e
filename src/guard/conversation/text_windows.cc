// SPDX-License-Identifier: Apache-2.0
#include "guard/conversation/text_windows.hpp"

#include <algorithm>
#include <string>

#include "tokenizer/tokenizer_impl.hpp"
#include "util/error.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// A good place is looked for so many tokens back, and in an eighth of a window at most.
constexpr std::size_t kMaxLookBack = 128;

std::size_t look_back(std::size_t n_tokens) noexcept { return std::min(n_tokens / 8, kMaxLookBack); }

/// The start of the character that text[pos] belongs to.
std::size_t character_begin(std::string_view text, std::size_t pos) noexcept {
  while (pos > 0 && pos < text.size() && (static_cast<unsigned char>(text[pos]) & 0xC0) == 0x80) --pos;
  return pos;
}

bool is_white_space(char c) noexcept { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

/// True for a text that ends a sentence, whatever follows.
bool ends_full_width_sentence(std::string_view text) noexcept {
  return text.ends_with("\xE3\x80\x82") || text.ends_with("\xEF\xBC\x81") || text.ends_with("\xEF\xBC\x9F");
}

/// How good a place it is to cut at: behind a sentence or a line; between words; anywhere.
int place_value(std::string_view text, std::size_t at) noexcept {
  const std::string_view before = text.substr(0, at);
  if (before.ends_with('\n') || ends_full_width_sentence(before)) return 2;
  const bool is_space_before = is_white_space(text[at - 1]), is_space_behind = is_white_space(text[at]);
  const char end = is_space_before && at > 1 ? text[at - 2] : text[at - 1];
  if ((is_space_before || is_space_behind) && (end == '.' || end == '!' || end == '?')) return 2;
  return is_space_before || is_space_behind ? 1 : 0;
}

}  // namespace

bool TextWindows::is_border(std::size_t i) const noexcept {
  const std::size_t begin = ranges_[i].begin;
  return begin > 0 && begin >= ranges_[i - 1].end &&
         character_begin(text_, content_ + begin) == content_ + begin;
}

std::size_t TextWindows::best_border(std::size_t first, std::size_t last, std::size_t none) const noexcept {
  std::size_t best = none;
  int best_value = -1;
  for (std::size_t i = last + 1; i-- > first;) {
    if (!is_border(i)) continue;
    const int value = place_value(text_, content_ + ranges_[i].begin);
    if (value <= best_value) continue;
    best = i;
    best_value = value;
  }
  return best;
}

std::size_t TextWindows::count(std::size_t begin, std::size_t end, std::size_t max_tokens) const {
  std::vector<TokenId> ids;
  const Status status =
      encode_within(tokenizer_, text_.substr(begin, end - begin), SpecialTokens::as_text, max_tokens, ids);
  return status.ok() ? ids.size() : max_tokens + 1;
}

std::size_t TextWindows::fitting_end(std::size_t begin, std::size_t end, std::size_t max_tokens) const {
  // A character at least, though it may have more tokens: then it is found not to fit where it stands.
  std::size_t fits = begin;
  static_cast<void>(next_code_point(text_, fits));
  while (fits < end) {
    std::size_t middle = character_begin(text_, fits + (end - fits + 1) / 2);
    if (middle <= fits) static_cast<void>(next_code_point(text_, middle = fits));
    if (count(begin, middle, max_tokens) <= max_tokens) {
      fits = middle;
    } else {
      end = previous_boundary(text_, middle);
    }
  }
  return fits;
}

std::size_t TextWindows::covering_begin(std::size_t begin, std::size_t end, std::size_t n_tokens) const {
  std::size_t covers = begin, last = end;
  while (covers < last) {
    std::size_t middle = character_begin(text_, covers + (last - covers + 1) / 2);
    if (middle <= covers) static_cast<void>(next_code_point(text_, middle = covers));
    if (middle < end && count(middle, end, n_tokens) >= n_tokens) {
      covers = middle;
    } else {
      last = previous_boundary(text_, middle);
    }
  }
  return covers;
}

Status TextWindows::encode() {
  const std::size_t n_wanted = sizes_.max_tokens + 1, n_left = text_.size() - content_;
  const auto guess = static_cast<std::size_t>(bytes_per_token_ * 1.25 * static_cast<double>(n_wanted));
  for (std::size_t n_bytes = std::max<std::size_t>(guess, 1024);; n_bytes *= 2) {
    const bool is_all = n_bytes >= n_left;
    const std::size_t end = is_all ? text_.size() : character_begin(text_, content_ + n_bytes);
    ids_.clear();
    ranges_.clear();
    Q3G_TRY(encode_aligned(tokenizer_, text_.substr(content_, end - content_), SpecialTokens::as_text,
                           InvalidUtf8::reject, ids_, ranges_));
    // What follows can change the last tokens of a text that is cut off; no more of it is used than this.
    if (is_all || ids_.size() > n_wanted + n_wanted / 8) return {};
    // Tokens that are this long are no text, and nothing that is longer fits.
    if (n_bytes > tokenizer_.max_text_bytes(n_wanted)) return {};
  }
}

Status TextWindows::cut() {
  content_ = window_.begin;
  if (skips_line_breaks_) content_ = std::min(text_.find_first_not_of('\n', content_), text_.size());
  n_tokens_ = 0;
  if (content_ == text_.size()) {
    window_.end = content_;
    return {};
  }
  Q3G_TRY(encode());
  const std::size_t end = content_ + ranges_.back().end, max = sizes_.max_tokens;
  if (ids_.size() <= max && end == text_.size()) {
    window_.end = end;
    return {};
  }
  if (ids_.size() > max) n_tokens_ = best_border(max - look_back(max), max, 0);
  window_.end = n_tokens_ > 0 ? content_ + ranges_[n_tokens_].begin : fitting_end(content_, end, max);
  const std::size_t n = n_tokens_ > 0 ? n_tokens_ : max;
  bytes_per_token_ = static_cast<double>(window_.end - content_) / static_cast<double>(n);
  return {};
}

std::size_t TextWindows::next_begin() const {
  const std::size_t overlap = sizes_.overlap_tokens;
  if (overlap == 0) return window_.end;
  if (n_tokens_ > overlap) {
    const std::size_t last = n_tokens_ - overlap;
    const std::size_t best = best_border(last - std::min(last - 1, look_back(sizes_.max_tokens)), last, 0);
    if (best > 0) return content_ + ranges_[best].begin;
  }
  return covering_begin(content_, window_.end, overlap);
}

Result<ByteRange> TextWindows::next() {
  const std::size_t begin = window_.end == 0 ? 0 : next_begin();
  if (window_.end > 0 && begin <= window_.begin) {
    return error(ErrorCode::context_full, "a window of ", sizes_.max_tokens, " tokens with an overlap of ",
                 sizes_.overlap_tokens, " gets no further than byte ", window_.end, " of the message");
  }
  window_.begin = begin;
  Q3G_TRY(cut());
  return window_;
}

Result<ByteRange> TextWindows::shrink() {
  const std::size_t less = std::max<std::size_t>(8, sizes_.max_tokens / 64);
  // Down to what still goes on: behind the overlap, and with good places looked for at both ends.
  if (sizes_.max_tokens - less < sizes_.least() / 4 * 3) {
    return error(ErrorCode::context_full, "bytes ", window_.begin, " to ", window_.end,
                 " of the message are ", sizes_.max_tokens,
                 " tokens alone, and do not fit the context with the conversation before them");
  }
  sizes_.max_tokens -= less;
  Q3G_TRY(cut());
  return window_;
}

}  // namespace qwen3guard::detail
