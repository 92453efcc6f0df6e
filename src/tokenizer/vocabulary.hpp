// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_HPP
#define QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/hash.hpp"

namespace qwen3guard::detail {

/// Where a token's bytes are in the text of all tokens. No bytes: the id has no token.
struct TokenSpan {
  std::uint32_t begin = 0, n_bytes = 0;
};

/// An entry of the hash table from bytes to id; id -1 is an empty slot.
struct VocabularySlot {
  std::uint64_t hash = 0;
  TokenId id = -1;
  std::uint32_t n_bytes = 0;
};

/// The arrays of a vocabulary. A snapshot holds them as they are here.
struct VocabularyTables {
  static constexpr VocabularySlot kNoSlots[1] = {};

  std::string_view text;              ///< all tokens' bytes
  std::span<const TokenSpan> tokens;  ///< by id
  /// A power of two of them, linear probing from hash_bytes() on; at least one is empty.
  std::span<const VocabularySlot> slots = kNoSlots;
};

/// Token bytes by id and ids by bytes. Filled once (or a view of tables that somebody else keeps), then
/// immutable and safe to share between threads. Move-only; a moved-from one may only be destroyed or
/// assigned.
class Vocabulary {
 public:
  /// Ids lie below this, so that a damaged file cannot make the tables huge.
  static constexpr std::int64_t kMaxIds = std::int64_t{1} << 22;

  Vocabulary() = default;
  /// A view: `owner` keeps the tables alive. Precondition: they are sound (see read_snapshot).
  Vocabulary(const VocabularyTables& tables, std::shared_ptr<const void> owner)
      : tables_(tables), mask_(tables.slots.size() - 1), owner_(std::move(owner)) {}
  Vocabulary(Vocabulary&&) noexcept = default;
  Vocabulary& operator=(Vocabulary&&) noexcept = default;
  Vocabulary(const Vocabulary&) = delete;
  Vocabulary& operator=(const Vocabulary&) = delete;
  ~Vocabulary() = default;

  /// Room for tokens of `n_bytes` in all.
  void reserve(std::size_t n_tokens, std::size_t n_bytes);

  /// Gives `id` the bytes, which are not this object's own. False when the id has bytes already.
  /// Preconditions: 0 <= id < kMaxIds, bytes not empty; not a view.
  [[nodiscard]] bool set_bytes(TokenId id, std::string_view bytes);

  /// Makes the listed ids findable by their bytes. Returns the first id whose bytes an earlier one has, too.
  [[nodiscard]] std::optional<TokenId> index(const std::vector<TokenId>& ids);

  [[nodiscard]] TokenId size() const noexcept { return static_cast<TokenId>(tables_.tokens.size()); }
  [[nodiscard]] const VocabularyTables& tables() const noexcept { return tables_; }

  /// The token's bytes; empty when `id` (any value) has none.
  [[nodiscard]] std::string_view bytes(TokenId id) const noexcept {
    const auto i = static_cast<std::size_t>(static_cast<std::uint32_t>(id));
    if (i >= tables_.tokens.size()) return {};
    return {tables_.text.data() + tables_.tokens[i].begin, tables_.tokens[i].n_bytes};
  }

  /// Id of the indexed token with these bytes; -1 when there is none.
  [[nodiscard]] TokenId find(std::string_view bytes) const noexcept { return find(bytes, hash_bytes(bytes)); }
  /// The same when the caller has hash_bytes(bytes) already.
  [[nodiscard]] TokenId find(std::string_view bytes, std::uint64_t hash) const noexcept {
    for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const VocabularySlot& slot = tables_.slots[i];
      if (slot.id < 0) return -1;
      // Up to 8 bytes the hash is as good as the bytes themselves.
      if (slot.hash == hash && slot.n_bytes == bytes.size() &&
          (bytes.size() <= 8 || this->bytes(slot.id) == bytes))
        return slot.id;
    }
  }
  /// The ids of the single bytes; -1 where there is none.
  [[nodiscard]] std::array<TokenId, 256> byte_ids() const noexcept;
  /// A hint that find() comes soon with this hash.
  void prefetch(std::uint64_t hash) const noexcept { prefetch_line(tables_.slots.data() + (hash & mask_)); }

 private:
  VocabularyTables tables_;
  std::size_t mask_ = 0;
  // What tables_ points to: these, or what owner_ keeps.
  std::vector<char> text_;
  std::vector<TokenSpan> tokens_;
  std::vector<VocabularySlot> slots_;
  std::shared_ptr<const void> owner_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_HPP
