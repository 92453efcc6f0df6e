// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_PRE_TOKENIZER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_PRE_TOKENIZER_HPP

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/pattern.hpp"
#include "tokenizer/qwen_scanner.hpp"

namespace qwen3guard::detail {

/// The pattern that the ByteLevel pre-tokeniser of the reference has built in (use_regex).
inline constexpr std::string_view kByteLevelPattern =
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";

/// Cuts text into words: one pattern after the other, each cutting what the one before it left whole. Matches
/// and the gaps between them are words. Immutable; safe to share between threads.
class PreTokenizer {
 public:
  /// Published tokenizers have up to four or five; each is compiled when it is added.
  static constexpr std::size_t kMaxPatterns = 16;

  /// Adds a pattern. The Qwen pattern is served by a scanner that gives the same words without RE2.
  /// Errors: as Pattern::compile; bad_tokenizer (more than kMaxPatterns).
  [[nodiscard]] Status add_pattern(std::string_view regex);

  /// The patterns that were added, in their order.
  [[nodiscard]] const std::vector<std::string>& patterns() const noexcept { return patterns_; }

  /// True when words are those of the Qwen pattern alone.
  [[nodiscard]] bool is_qwen() const noexcept { return steps_.size() == 1 && !steps_.front(); }

  /// Calls visit(word) for each word of `text` (UTF-8), in order, as long as it returns true. The words
  /// joined are the text.
  template <class Visit>
  void split(std::string_view text, const Visit& visit) const {
    static_cast<void>(split_from(0, text, visit));
  }

 private:
  template <class Visit>
  [[nodiscard]] bool split_from(std::size_t step, std::string_view text, const Visit& visit) const {
    if (text.empty()) return true;
    if (step == steps_.size()) return visit(text);
    const bool last = step + 1 == steps_.size();
    for (std::size_t pos = 0, end = 0; pos < text.size(); pos = end) {
      end = steps_[step] ? gap_or_match_end(*steps_[step], text, pos) : qwen_word_end(text, pos);
      const std::string_view word = text.substr(pos, end - pos);
      if (!(last ? visit(word) : split_from(step + 1, word, visit))) return false;
    }
    return true;
  }

  [[nodiscard]] static std::size_t gap_or_match_end(const Pattern& pattern, std::string_view text,
                                                    std::size_t pos) {
    const auto match = pattern.find(text, pos);
    if (!match) return text.size();
    return match->begin > pos ? match->begin : match->end;
  }

  std::vector<std::string> patterns_;
  std::vector<std::optional<Pattern>> steps_;  // of each pattern; empty: the Qwen scanner
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_PRE_TOKENIZER_HPP
