// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_LISTS_PHRASE_MATCHER_HPP
#define QWEN3GUARD_SRC_GUARD_LISTS_PHRASE_MATCHER_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "guard/lists/fold.hpp"
#include "qwen3guard/policy_spec.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// The form in which texts and phrases are matched, and where each of its bytes comes from: folded; a gap
/// (white space, with Folding::spaced_out also separators) is one space; and kBoundary stands where a word
/// may begin or end: between any two characters but those of one word. A plain value.
class MatchTape {
 public:
  static constexpr char kBoundary = '\x01';

  /// The bytes of the original that a byte comes from; of a boundary the place.
  struct Origin {
    std::int64_t begin = 0, end = 0;
  };

  explicit MatchTape(bool joins_separators) noexcept : joins_separators_(joins_separators) {}

  /// Appends what the characters add. A boundary behind the last one waits for the next. Throws
  /// std::bad_alloc.
  void push(const std::vector<FoldedChar>& chars);
  /// Appends the boundary behind the last character: the text ends here. Throws std::bad_alloc.
  void finish();
  /// Takes the first n bytes off. n <= size().
  void drop(std::size_t n);

  [[nodiscard]] const std::string& bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::size_t size() const noexcept { return bytes_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const noexcept {
    return bytes_.capacity() + origins_.capacity() * sizeof(Origin);
  }
  /// The bytes of the original that [begin, end) comes from; not only boundaries.
  [[nodiscard]] Origin origin(std::size_t begin, std::size_t end) const noexcept;

 private:
  void put(char byte, Origin origin);

  std::string bytes_;
  std::vector<Origin> origins_;
  bool joins_separators_;
  bool is_begun_ = false, ends_in_gap_ = false;
  WordClass last_ = WordClass::other;
  std::int64_t end_ = 0;
};

/// Where a phrase of the deny list stands.
struct PhraseHit {
  std::int32_t phrase = -1;                   ///< index in PhraseLists::deny
  std::int64_t byte_begin = 0, byte_end = 0;  ///< of the original text

  friend bool operator==(const PhraseHit&, const PhraseHit&) = default;
};

/// Compiled lists. Immutable, cheap to copy (shared), safe to share between threads.
///
/// A phrase is found as whole words: what stands before and behind it does not go on with the word. In
/// scripts whose words are not told apart by spaces it is found anywhere. With Folding::spaced_out it is
/// found, too, when every two of its letters have a gap between them (3 letters or more, or 2 of such a
/// script), and with Folding::leetspeak when digits and symbols stand for letters of a phrase (one letter at
/// least has to stay one). Phrases' own digits are no leetspeak. Hits of deny that lie within one of allow do
/// not count.
class PhraseMatcher {
 public:
  /// What lists may come to: bytes of all phrases.
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;
  static constexpr std::size_t kMaxPhraseBytes = 1000;

  /// Without phrases: finds nothing.
  PhraseMatcher() = default;

  /// Errors: invalid_argument (lists.deny or lists.allow with an index: empty, not UTF-8, too long, nothing
  /// but spaces or what folding leaves out, given twice, or in both lists; too large in all);
  /// unsupported_model (phrases, in a build without RE2).
  [[nodiscard]] static Result<PhraseMatcher> compile(const PhraseLists& lists);

  [[nodiscard]] bool has_deny_phrases() const noexcept { return lists_ != nullptr; }
  /// The hit of deny in a whole text that is complete first, and the longest of those. Throws std::bad_alloc.
  [[nodiscard]] std::optional<PhraseHit> find(std::string_view text) const;

  /// A hit on a tape.
  struct TapeHit {
    std::size_t begin = 0, end = 0;
    std::size_t first_begin = 0;  ///< no hit, whichever end it has, begins before
    bool is_settled = false;      ///< whatever is pushed
  };
  /// For PhraseScanner: the hit that is complete first among those that begin at or after `from`.
  /// n_settled: bytes of the tape that no later text changes. has_deny_phrases() only.
  [[nodiscard]] std::optional<TapeHit> find_on(const MatchTape& tape, std::size_t from,
                                               std::size_t n_settled) const;
  /// The phrase of a hit. O(phrases).
  [[nodiscard]] PhraseHit resolve(const MatchTape& tape, const TapeHit& hit) const;
  /// How many bytes of a tape a phrase of the lists can take. @{
  [[nodiscard]] std::size_t deny_span() const noexcept;
  [[nodiscard]] std::size_t allow_span() const noexcept;  /// @}
  /// How texts are folded for it.
  [[nodiscard]] const Folding& folding() const noexcept;

 private:
  struct Lists;
  explicit PhraseMatcher(std::shared_ptr<const Lists> lists) : lists_(std::move(lists)) {}
  std::shared_ptr<const Lists> lists_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_LISTS_PHRASE_MATCHER_HPP
