// SPDX-License-Identifier: Apache-2.0
#include "guard/lists/fold.hpp"

#include <utf8proc.h>

#include <algorithm>

#include "guard/lists/confusables.hpp"
#include "tokenizer/nfc.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// Scripts whose words are not told apart by spaces: first and last code points, ascending.
constexpr std::uint32_t kUnspaced[][2] = {
    {0x0E00, 0x0EFF},    // Thai, Lao
    {0x0F00, 0x109F},    // Tibetan, Myanmar
    {0x1100, 0x11FF},    // Hangul jamo
    {0x1780, 0x17FF},    // Khmer
    {0x1950, 0x19DF},    // Tai Le, New Tai Lue
    {0x1A20, 0x1AAF},    // Tai Tham
    {0x2E80, 0x2FDF},    // radicals
    {0x3005, 0x3007},    // ideographic iteration mark and zero
    {0x3021, 0x31FF},    // kana, Bopomofo, Hangul compatibility jamo
    {0x3400, 0xA4CF},    // Han, Yi
    {0xA960, 0xA97F},    // Hangul jamo
    {0xA9E0, 0xA9FF},    // Myanmar
    {0xAA60, 0xAADF},    // Myanmar, Tai Viet
    {0xAC00, 0xD7FF},    // Hangul
    {0xF900, 0xFAFF},    // Han
    {0xFF66, 0xFFDC},    // half-width kana and Hangul
    {0x16FE0, 0x18DFF},  // Tangut, Khitan
    {0x1AFF0, 0x1B2FF},  // kana, Nushu
    {0x20000, 0x3FFFF},  // Han
};

bool is_unspaced(std::uint32_t code_point) noexcept {
  return std::any_of(std::begin(kUnspaced), std::end(kUnspaced),
                     [&](const auto& range) { return code_point >= range[0] && code_point <= range[1]; });
}

utf8proc_int32_t signed_code_point(std::uint32_t code_point) noexcept {
  return static_cast<utf8proc_int32_t>(code_point);
}

std::int32_t mark_class(std::uint32_t code_point) noexcept {
  return code_point < 0x300 ? 0 : utf8proc_get_property(signed_code_point(code_point))->combining_class;
}

bool is_mark(std::uint32_t code_point) noexcept {
  if (code_point < 0x300) return false;
  const utf8proc_category_t category = utf8proc_category(signed_code_point(code_point));
  return category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
         category == UTF8PROC_CATEGORY_ME;
}

bool is_ascii_letter(std::uint32_t code_point) noexcept {
  return (code_point | 0x20U) >= 'a' && (code_point | 0x20U) <= 'z';
}

/// Whether a mark makes another letter of an ASCII letter: as on e with acute. On "b" it is decoration.
bool joins(std::uint32_t letter, std::uint32_t mark) {
  utf8proc_int32_t pair[2] = {signed_code_point(letter), signed_code_point(mark)};
  return utf8proc_normalize_utf32(pair, 2,
                                  static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE)) == 1;
}

/// Whether a character is left out by Folding::invisible: Unicode's default-ignorable ones, among them
/// zero-width characters and bidi controls, and control characters that are no white space.
bool is_invisible(std::uint32_t code_point) noexcept {
  if (code_point < 0x20) return code_point < 0x09 || code_point > 0x0D;
  if (code_point < 0x7F) return false;
  if (code_point < 0xA0) return code_point != 0x85;
  // utf8proc has no flag for those that are not assigned yet, nor for tags.
  if (code_point >= 0xE0000 && code_point < 0xE1000) return true;
  return utf8proc_get_property(signed_code_point(code_point))->ignorable != 0;
}

}  // namespace

WordClass word_class(std::uint32_t code_point) noexcept {
  if (code_point < 0x80)
    return is_ascii_letter(code_point) || (code_point >= '0' && code_point <= '9') ? WordClass::word
                                                                                   : WordClass::other;
  if (code_point >= 0x1160 && code_point <= 0x11FF) return WordClass::extend;  // vowels and final consonants
  switch (utf8proc_category(signed_code_point(code_point))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO:
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO:
      return is_unspaced(code_point) ? WordClass::single : WordClass::word;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME:
      return WordClass::extend;
    default:
      return WordClass::other;
  }
}

bool is_white_space(std::uint32_t code_point) noexcept {
  if (code_point < 0x80) return code_point == ' ' || (code_point >= 0x09 && code_point <= 0x0D);
  if (code_point == 0x85) return true;
  const utf8proc_category_t category = utf8proc_category(signed_code_point(code_point));
  return category == UTF8PROC_CATEGORY_ZS || category == UTF8PROC_CATEGORY_ZL ||
         category == UTF8PROC_CATEGORY_ZP;
}

bool is_separator(std::uint32_t code_point) noexcept {
  constexpr std::string_view kAscii = ".-_*/,~";
  if (code_point < 0x80)
    return is_white_space(code_point) || kAscii.find(static_cast<char>(code_point)) != std::string_view::npos;
  const bool is_dash = code_point >= 0x2010 && code_point <= 0x2015;
  return is_dash || code_point == 0xB7 || code_point == 0x2022 || code_point == 0x2026 ||
         code_point == 0x22C5 || is_white_space(code_point);
}

char leet_letter(std::uint32_t code_point) noexcept {
  switch (code_point) {
    case '0':
      return 'o';
    case '1':
    case '!':
      return 'i';
    case '3':
      return 'e';
    case '4':
    case '@':
      return 'a';
    case '5':
    case '$':
      return 's';
    case '7':
      return 't';
    case '8':
      return 'b';
    case '|':
      return 'l';
    default:
      return 0;
  }
}

void Folder::push(std::string_view text, std::vector<FoldedChar>& out) {
  out.reserve(out.size() + text.size());
  std::size_t pos = 0;
  while (n_rest_ > 0 && pos < text.size()) {  // byte by byte until the character is complete, or cannot be
    rest_[n_rest_++] = text[pos++];
    const std::string_view rest(rest_.data(), n_rest_);
    const Utf8Step step = utf8_step(rest, 0);
    if (step.truncated) continue;
    // What is left of an ill-formed sequence is one byte, which is looked at again.
    pos -= n_rest_ - step.n_bytes;
    n_rest_ = 0;
    take(step.complete ? step.code_point : 0xFFFD, step.n_bytes, out);
  }
  while (pos < text.size()) {
    const Utf8Step step = utf8_step(text, pos);
    if (step.truncated) {
      n_rest_ = static_cast<std::uint8_t>(text.copy(rest_.data(), rest_.size(), pos));
      return;
    }
    take(step.complete ? step.code_point : 0xFFFD, step.n_bytes, out);
    pos += step.n_bytes;
  }
}

void Folder::finish(std::vector<FoldedChar>& out) {
  if (n_rest_ > 0) {
    const std::uint32_t n = n_rest_;
    n_rest_ = 0;
    take(0xFFFD, n, out);
  }
  flush_marks(out);
}

void Folder::take(std::uint32_t code_point, std::uint32_t n_bytes, std::vector<FoldedChar>& out) {
  FoldedChar folded{code_point, at_, at_ + n_bytes};
  at_ += n_bytes;
  if (folding_.invisible && is_invisible(code_point)) return;
  if (code_point < 0x80) {
    if (folding_.letter_case && code_point >= 'A' && code_point <= 'Z') folded.code_point += 0x20;
    put(folded, out);
    return;
  }
  constexpr int kMost = 32;  // the longest compatibility decomposition has 18
  utf8proc_int32_t parts[kMost];
  int options = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE;
  if (folding_.width || folding_.confusables) options |= UTF8PROC_COMPAT;
  if (folding_.letter_case) options |= UTF8PROC_CASEFOLD;
  const utf8proc_ssize_t n = utf8proc_decompose_char(signed_code_point(code_point), parts, kMost,
                                                     static_cast<utf8proc_option_t>(options), nullptr);
  if (n < 1 || n > kMost) {
    put(folded, out);
    return;
  }
  for (utf8proc_ssize_t i = 0; i < n; ++i) {
    folded.code_point = static_cast<std::uint32_t>(parts[i]);
    const auto look_alike =
        folding_.confusables ? look_alike_of(folded.code_point) : std::span<const std::uint32_t>();
    if (look_alike.empty()) put(folded, out);
    for (const std::uint32_t one : look_alike) {
      folded.code_point = one;
      put(folded, out);
    }
  }
}

void Folder::put(const FoldedChar& folded, std::vector<FoldedChar>& out) {
  const bool is_decorated = is_ascii_letter(base_) || leet_letter(base_) != 0;
  if (folding_.confusables && is_decorated && is_mark(folded.code_point) && !joins(base_, folded.code_point))
    return;
  if (mark_class(folded.code_point) == 0) {
    flush_marks(out);
    out.push_back(folded);
    if (!is_mark(folded.code_point)) base_ = folded.code_point;
    return;
  }
  if (n_marks_ == kMaxMarks) flush_marks(out);
  marks_[n_marks_++] = folded;
}

void Folder::flush_marks(std::vector<FoldedChar>& out) {
  auto* const begin = marks_.data();
  std::stable_sort(begin, begin + n_marks_, [](const FoldedChar& a, const FoldedChar& b) {
    return mark_class(a.code_point) < mark_class(b.code_point);
  });
  out.insert(out.end(), begin, begin + n_marks_);
  n_marks_ = 0;
}

namespace {

using FoldedChars = std::vector<FoldedChar>;

bool is_word(WordClass its) noexcept { return its == WordClass::word || its == WordClass::single; }

/// Letters that stand alone, and the gaps between them.
class SpacedOutJoiner {
 public:
  explicit SpacedOutJoiner(const FoldedChars& in, FoldedChars& out) : in_(in), out_(out) {}

  void run() {
    std::size_t pos = 0;
    while (pos < in_.size()) {
      const std::size_t end = find_letters(pos);
      if (letters_.size() >= 3) {
        write_letters();
        pos = end;
        continue;
      }
      // Not spelt out: the word, or what stands between words, as it is.
      const bool in_word = is_word(word_class(in_[pos].code_point));
      do out_.push_back(in_[pos++]);
      while (pos < in_.size() && in_word && word_class(in_[pos].code_point) != WordClass::other);
    }
  }

 private:
  struct Letter {
    std::size_t begin, end;  // with its marks
  };

  /// The end of a letter that stands alone at pos; pos when there is none.
  [[nodiscard]] std::size_t letter_end(std::size_t pos) const {
    if (pos >= in_.size() || !is_word(word_class(in_[pos].code_point))) return pos;
    std::size_t end = pos + 1;
    while (end < in_.size() && word_class(in_[end].code_point) == WordClass::extend) ++end;
    return end < in_.size() && is_word(word_class(in_[end].code_point)) ? pos : end;
  }

  /// Fills letters_ with those that are spelt out from pos on; where they end.
  std::size_t find_letters(std::size_t pos) {
    letters_.clear();
    std::size_t end = pos;
    for (std::size_t next = letter_end(pos); next > pos; next = letter_end(pos)) {
      letters_.push_back({pos, next});
      end = pos = next;
      while (pos < in_.size() && pos - end < 3 && is_separator(in_[pos].code_point)) ++pos;
      if (pos == end) break;
    }
    return end;
  }

  /// The letters as words. Gaps that are wider than the narrowest one part words, unless a letter would be
  /// alone again.
  void write_letters() {
    const auto gap = [&](std::size_t i) { return letters_[i].begin - letters_[i - 1].end; };
    std::size_t narrowest = 3;
    for (std::size_t i = 1; i < letters_.size(); ++i) narrowest = std::min(narrowest, gap(i));
    const auto is_part = [&](std::size_t i) { return i == letters_.size() || gap(i) > narrowest; };
    bool are_words = true;
    std::size_t begin = 0;
    for (std::size_t i = 1; i <= letters_.size(); ++i) {
      if (!is_part(i)) continue;
      are_words = are_words && i - begin >= 2;
      begin = i;
    }
    for (std::size_t i = 0; i < letters_.size(); ++i) {
      if (i > 0 && are_words && is_part(i))
        out_.push_back({' ', in_[letters_[i - 1].end].begin, in_[letters_[i].begin - 1].end});
      for (std::size_t k = letters_[i].begin; k < letters_[i].end; ++k) out_.push_back(in_[k]);
    }
  }

  const FoldedChars& in_;
  FoldedChars& out_;
  std::vector<Letter> letters_;
};

bool is_letter(std::uint32_t code_point) noexcept {
  return is_word(word_class(code_point)) &&
         utf8proc_category(signed_code_point(code_point)) <= UTF8PROC_CATEGORY_LO;
}

/// Reads leetspeak as letters. A part is letters, digits, marks and symbols of leetspeak without a gap.
void read_leetspeak(FoldedChars& chars) {
  const auto is_part = [&](std::size_t i) {
    return word_class(chars[i].code_point) != WordClass::other || leet_letter(chars[i].code_point) != 0;
  };
  for (std::size_t begin = 0; begin < chars.size();) {
    std::size_t end = begin, first = 0, last = 0, n_letters = 0;
    for (; end < chars.size() && is_part(end); ++end) {
      if (!is_letter(chars[end].code_point)) continue;
      if (n_letters++ == 0) first = end;
      last = end;
    }
    if (n_letters > 0) {
      for (std::size_t i = last > first ? begin : first; i < last; ++i) {
        if (const char letter = leet_letter(chars[i].code_point); letter != 0)
          chars[i].code_point = static_cast<unsigned char>(letter);
      }
    }
    begin = end + 1;
  }
}

}  // namespace

FoldedText fold_text(std::string_view text, const Folding& folding) {
  FoldedText out;
  FoldedChars chars;
  Folder folder(folding);
  folder.push(text, chars);
  folder.finish(chars);
  if (folding.spaced_out) {
    FoldedChars joined;
    joined.reserve(chars.size());
    SpacedOutJoiner(chars, joined).run();
    chars = std::move(joined);
  }
  if (folding.leetspeak) read_leetspeak(chars);
  std::string decomposed;
  decomposed.reserve(text.size());
  out.borders_.reserve(chars.size() + 1);
  std::int64_t before = 0;
  for (const FoldedChar& folded : chars) {
    // The first has what was left out in front of it.
    out.borders_.push_back({decomposed.size(), out.borders_.empty() ? 0 : folded.begin, before});
    before = std::max(before, folded.end);
    append_utf8(folded.code_point, decomposed);
  }
  const auto n_bytes = static_cast<std::int64_t>(text.size());
  out.borders_.push_back({decomposed.size(), n_bytes, chars.empty() ? 0 : n_bytes});
  // Marks change their order: what stands behind a border can begin before what stands in front of it ends.
  for (std::size_t i = out.borders_.size() - 1; i-- > 0;) {
    FoldedText::Border& border = out.borders_[i];
    border.behind_begin = std::min(border.behind_begin, out.borders_[i + 1].behind_begin);
    border.before_end = std::max(border.before_end, border.behind_begin);
  }
  NfcScratch scratch;
  static_cast<void>(append_nfc(decomposed, scratch, out.text_, &out.composed_));
  return out;
}

std::pair<std::int64_t, std::int64_t> FoldedText::origin(std::size_t begin, std::size_t end) const {
  const auto is_before = [](const Border& border, std::size_t byte) { return border.at < byte; };
  // The borders in front of the character that holds the first byte, and behind that of the last one.
  const std::size_t from = composed_.begin_of(begin), to = composed_.end_of(end);
  auto first = std::lower_bound(borders_.begin(), borders_.end(), from, is_before);
  if (first->at > from) --first;
  const auto last = std::lower_bound(first, borders_.end(), to, is_before);
  return {first->behind_begin, last->before_end};
}

bool is_copy_worth_judging(std::string_view text, const Folding& folding) {
  if (folding.letter_case) {
    bool is_behind_small = false;
    for (std::size_t pos = 0; pos < text.size();) {
      const Utf8Step step = utf8_step(text, pos);
      const utf8proc_category_t category =
          utf8proc_category(step.complete ? signed_code_point(step.code_point) : 0xFFFD);
      if (is_behind_small && category == UTF8PROC_CATEGORY_LU) return true;
      is_behind_small = category == UTF8PROC_CATEGORY_LL;
      pos += step.n_bytes;
    }
  }
  Folding other = folding;
  other.letter_case = false;
  Folding none;
  none.letter_case = none.width = none.invisible = false;
  return fold_text(text, other).text() != fold_text(text, none).text();
}

}  // namespace qwen3guard::detail
