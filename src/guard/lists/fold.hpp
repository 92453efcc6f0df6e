// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LISTS_FOLD_HPP
#define QWEN3GUARD_SRC_GUARD_LISTS_FOLD_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/policy_spec.hpp"
#include "tokenizer/offset_map.hpp"

namespace qwen3guard::detail {

/// A character of a folded text, and the bytes of the original that it comes from. Characters that come from
/// one character have its whole range.
struct FoldedChar {
  std::uint32_t code_point = 0;
  std::int64_t begin = 0, end = 0;
};

/// What a character is to whole words.
enum class WordClass : std::uint8_t {
  other,   ///< spaces, punctuation, symbols
  word,    ///< letters and digits of scripts that put spaces between words
  single,  ///< a letter of a script that does not (Han, kana, Thai, ...) or glues words together (Hangul)
  extend,  ///< marks and conjoining jamo, which belong to the character before them
};
[[nodiscard]] WordClass word_class(std::uint32_t code_point) noexcept;

/// True for a space, a line break or another character of white space.
[[nodiscard]] bool is_white_space(std::uint32_t code_point) noexcept;
/// What people put between the letters of a word that they spell out: white space, . - _ * / , ~ and dots and
/// dashes like them.
[[nodiscard]] bool is_separator(std::uint32_t code_point) noexcept;
/// The letter that a digit or symbol of leetspeak stands for most often; 0 for others.
[[nodiscard]] char leet_letter(std::uint32_t code_point) noexcept;

/// Folds text that comes in pieces, one character after the other: everything of Folding but spaced_out and
/// leetspeak, which look at neighbours (fold_text). The result is decomposed (NFD, or NFKD with
/// Folding::width or Folding::confusables), so that equivalent texts are equal. Of a run of marks on one
/// character, each 30 are ordered for themselves (the stream-safe format of UAX #15). Ill-formed bytes are
/// U+FFFD. A plain value of bounded size: a copy is a place to go back to.
class Folder {
 public:
  explicit Folder(const Folding& folding) noexcept : folding_(folding) {}

  /// Appends what `text` adds to `out`. Marks at its end, and a character that is not complete, wait. Throws
  /// std::bad_alloc.
  void push(std::string_view text, std::vector<FoldedChar>& out);
  /// Appends what still waits: the text ends here. Throws std::bad_alloc.
  void finish(std::vector<FoldedChar>& out);

  /// Bytes pushed so far.
  [[nodiscard]] std::int64_t n_bytes() const noexcept { return at_ + n_rest_; }

 private:
  static constexpr std::size_t kMaxMarks = 30;

  void take(std::uint32_t code_point, std::uint32_t n_bytes, std::vector<FoldedChar>& out);
  void put(const FoldedChar& folded, std::vector<FoldedChar>& out);
  void flush_marks(std::vector<FoldedChar>& out);

  Folding folding_;
  std::array<char, 4> rest_{};  // the beginning of a character
  std::uint8_t n_rest_ = 0;
  std::uint8_t n_marks_ = 0;
  std::uint32_t base_ = 0;  // the last character that is no mark
  std::int64_t at_ = 0;     // bytes taken
  std::array<FoldedChar, kMaxMarks> marks_{};
};

/// A folded copy of a text.
class FoldedText {
 public:
  /// NFC, UTF-8.
  [[nodiscard]] const std::string& text() const noexcept { return text_; }
  /// Bytes of the original that hold all that text()[begin, end) comes from, and what was left out behind it:
  /// ranges that follow one another have no gap between them, and the whole text has the whole original.
  /// Either end is found for itself: the first of two ranges begins, and the second ends, where a range from
  /// the one's beginning to the other's end does. Precondition: begin <= end <= text().size().
  [[nodiscard]] std::pair<std::int64_t, std::int64_t> origin(std::size_t begin, std::size_t end) const;

 private:
  friend FoldedText fold_text(std::string_view text, const Folding& folding);
  /// Between two characters of the decomposed text, in front of the first and behind the last.
  struct Border {
    std::size_t at;             // in the decomposed text
    std::int64_t behind_begin;  // in the original: where what stands behind it begins
    std::int64_t before_end;    // where what stands before it ends
  };
  std::string text_;
  OffsetMap composed_;           // text_ -> the decomposed text
  std::vector<Border> borders_;  // ascending; one more than there are characters
};

/// The whole of a text folded, spaced-out letters joined and leetspeak read as letters, too, where Folding
/// says so. Three letters or more that stand alone, up to three separators apart, are a word; where some of
/// the gaps are wider than others, those part words. A digit or symbol of leetspeak is a letter within a
/// word, and in front of one with two letters or more. O(n). Throws std::bad_alloc.
[[nodiscard]] FoldedText fold_text(std::string_view text, const Folding& folding);

/// Whether a model should see the folded copy of a text (PhraseLists::judge_folded_copy): it differs by more
/// than capitals that any text has, which are those in front of a word and of whole words.
[[nodiscard]] bool is_copy_worth_judging(std::string_view text, const Folding& folding);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LISTS_FOLD_HPP
