// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_SNAPSHOT_LAYOUT_HPP
#define QWEN3GUARD_SRC_TOKENIZER_SNAPSHOT_LAYOUT_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "tokenizer/merge_table.hpp"
#include "tokenizer/vocabulary.hpp"

/// The bytes of a snapshot: a header, then sections whose places follow from the header's counts, so that no
/// offset of a section can be wrong. Little-endian; docs/tokenizer.md describes the same in words.
namespace qwen3guard::detail {

inline constexpr std::array<char, 8> kSnapshotMagic = {'Q', '3', 'G', 'T', 'O', 'K', 'E', 'N'};

struct SnapshotHeader {
  static constexpr std::uint32_t kNfc = 1, kIgnoreMerges = 2;

  std::array<char, 8> magic = kSnapshotMagic;
  std::uint32_t version = 0;
  std::uint32_t flags = 0;
  std::uint64_t n_bytes = 0;  ///< of the snapshot
  std::uint32_t n_ids = 0;
  std::uint32_t n_vocabulary_slots = 0;
  std::uint32_t n_merge_slots = 0;
  std::uint32_t n_added = 0;
  std::uint32_t n_patterns = 0;
  std::uint32_t n_text_bytes = 0;
  std::uint32_t n_string_bytes = 0;
  std::uint32_t reserved = 0;
};

/// An added token. Its content is in the strings.
struct SnapshotAdded {
  static constexpr std::uint32_t kSpecial = 1, kLstrip = 2, kRstrip = 4, kNormalized = 8;

  TokenId id = -1;
  std::uint32_t flags = 0;
  std::uint32_t begin = 0, n_bytes = 0;
};

/// A pattern of the pre-tokeniser, in the strings.
struct SnapshotPattern {
  std::uint32_t begin = 0, n_bytes = 0;
};

/// Offsets of the sections from the snapshot's start, each a multiple of kAlignment.
struct SnapshotLayout {
  static constexpr std::uint64_t kAlignment = 16;

  explicit SnapshotLayout(const SnapshotHeader& header) noexcept
      : vocabulary_slots(behind(0, 1, sizeof(SnapshotHeader))),
        merge_slots(behind(vocabulary_slots, header.n_vocabulary_slots, sizeof(VocabularySlot))),
        tokens(behind(merge_slots, header.n_merge_slots, sizeof(MergeSlot))),
        added(behind(tokens, header.n_ids, sizeof(TokenSpan))),
        patterns(behind(added, header.n_added, sizeof(SnapshotAdded))),
        text(behind(patterns, header.n_patterns, sizeof(SnapshotPattern))),
        strings(behind(text, header.n_text_bytes, 1)),
        end(behind(strings, header.n_string_bytes, 1)) {}

  std::uint64_t vocabulary_slots, merge_slots, tokens, added, patterns, text, strings, end;

 private:
  /// No overflow: counts have 32 bits.
  static std::uint64_t behind(std::uint64_t begin, std::uint64_t n, std::uint64_t n_bytes_each) noexcept {
    return (begin + n * n_bytes_each + kAlignment - 1) / kAlignment * kAlignment;
  }
};

template <class T, std::size_t n_bytes>
inline constexpr bool kIsRecord =
    sizeof(T) == n_bytes&& std::is_trivially_copyable_v<T>&& std::has_unique_object_representations_v<T>;
static_assert(kIsRecord<SnapshotHeader, 56> && kIsRecord<SnapshotAdded, 16> && kIsRecord<SnapshotPattern, 8>);
static_assert(kIsRecord<VocabularySlot, 16> && kIsRecord<MergeSlot, 16> && kIsRecord<TokenSpan, 8>);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_SNAPSHOT_LAYOUT_HPP
