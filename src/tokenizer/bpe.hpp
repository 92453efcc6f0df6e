// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_BPE_HPP
#define QWEN3GUARD_SRC_TOKENIZER_BPE_HPP

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string_view>
#include <vector>

#include "tokenizer/merge_table.hpp"
#include "tokenizer/vocabulary.hpp"

namespace qwen3guard::detail {

/// Memory that one call reuses from word to word.
struct BpeScratch {
  /// A token of the word so far, and what it and the next one become.
  struct Symbol {
    TokenId id;
    std::uint32_t previous, next;
    Merge merge;
  };
  std::vector<Symbol> symbols;
  std::vector<std::uint64_t> heap;  // rank << 32 | position; stale when the symbol there has another rank now
  std::vector<TokenId> window, next_window;
  /// A longer word is encoded in windows of so many bytes, because a symbol and its place in the heap take 28
  /// bytes for each of the text's. The result does not depend on it. At least 2.
  std::size_t window_bytes = std::size_t{1} << 14;
};

/// Byte-pair encoding of single words (pre-tokens). Immutable but for a lazily filled note per token whether
/// a word of exactly its bytes encodes to it; the notes are atomics whose value does not depend on who writes
/// it. Thread-safety: encode_word() may run on any number of threads at once, each with its own scratch.
class Bpe {
 public:
  /// Precondition: each byte is a token of the vocabulary, and the merges' ids are tokens of it.
  /// `ignore_merges`: a word that is a token encodes to it, whatever the merges say.
  Bpe(Vocabulary vocabulary, MergeTable merges, bool ignore_merges);

  [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return vocabulary_; }
  [[nodiscard]] const MergeTable& merges() const noexcept { return merges_; }
  [[nodiscard]] bool ignore_merges() const noexcept { return ignore_merges_; }

  /// Appends the ids of `word` to `out`; stops soon after `out` has more than max_ids. Time O(n log n) in the
  /// worst case. Throws std::bad_alloc.
  void encode_word(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out,
                   std::size_t max_ids = std::numeric_limits<std::size_t>::max()) const;

  /// The same by the merges alone, for a part of a word that begins where one of the word's tokens does. A
  /// word's tokens are those whose neighbours are each the tokens of the two alone (see merge_windows), so if
  /// the part's first one is that token again, the ones before it and these are the word's.
  void encode_part(std::string_view part, BpeScratch& scratch, std::vector<TokenId>& out,
                   std::size_t max_ids = std::numeric_limits<std::size_t>::max()) const;

 private:
  enum Note : std::uint8_t { unknown = 0, whole = 1, divided = 2 };
  static constexpr std::size_t kShortBytes = 64;  // above it the heap is faster than scanning

  void merge_short(std::string_view word, std::vector<TokenId>& out) const;
  void merge_long(std::string_view word, BpeScratch& scratch, std::vector<TokenId>& out) const;
  [[nodiscard]] bool merge_windows(std::string_view word, std::size_t n_window, BpeScratch& scratch,
                                   std::vector<TokenId>& out, std::size_t max_ids) const;

  Vocabulary vocabulary_;
  MergeTable merges_;
  bool ignore_merges_;
  std::array<TokenId, 256> byte_ids_;
  std::unique_ptr<std::atomic<std::uint8_t>[]> notes_;  // by id
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_BPE_HPP
