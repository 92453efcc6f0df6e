// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_DETAIL_TOKENIZER_VOCABULARY_HPP
#define QWEN3GUARD_DETAIL_TOKENIZER_VOCABULARY_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/detail/tokenizer/hash.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// Token bytes by id and ids by bytes. Filled once, then immutable and safe to share between threads.
class Vocabulary {
 public:
  /// Ids lie below this, so that a damaged file cannot make the tables huge.
  static constexpr std::int64_t kMaxIds = std::int64_t{1} << 22;

  /// Room for tokens of `n_bytes` in all.
  void reserve(std::size_t n_tokens, std::size_t n_bytes);

  /// Gives `id` the bytes. False when the id has bytes already. Precondition: 0 <= id < kMaxIds, bytes not
  /// empty.
  [[nodiscard]] bool set_bytes(TokenId id, std::string_view bytes);

  /// Makes the listed ids findable by their bytes. Returns the first id whose bytes an earlier one has, too.
  [[nodiscard]] std::optional<TokenId> index(const std::vector<TokenId>& ids);

  [[nodiscard]] TokenId size() const noexcept { return static_cast<TokenId>(tokens_.size()); }

  /// The token's bytes; empty when `id` (any value) has none.
  [[nodiscard]] std::string_view bytes(TokenId id) const noexcept {
    const auto i = static_cast<std::size_t>(static_cast<std::uint32_t>(id));
    if (i >= tokens_.size()) return {};
    return {text_.data() + tokens_[i].begin, tokens_[i].n_bytes};
  }

  /// Id of the indexed token with these bytes; -1 when there is none.
  [[nodiscard]] TokenId find(std::string_view bytes) const noexcept { return find(bytes, hash_bytes(bytes)); }
  /// The same when the caller has hash_bytes(bytes) already.
  [[nodiscard]] TokenId find(std::string_view bytes, std::uint64_t hash) const noexcept {
    for (std::size_t i = hash & mask_;; i = (i + 1) & mask_) {
      const Slot& slot = slots_[i];
      if (slot.id < 0) return -1;
      // Up to 8 bytes the hash is as good as the bytes themselves.
      if (slot.hash == hash && slot.n_bytes == bytes.size() &&
          (bytes.size() <= 8 || this->bytes(slot.id) == bytes))
        return slot.id;
    }
  }

 private:
  struct Token {
    std::uint32_t begin = 0, n_bytes = 0;
  };
  struct Slot {
    std::uint64_t hash = 0;
    TokenId id = -1;
    std::uint32_t n_bytes = 0;
  };

  std::string text_;           // all tokens' bytes, in the order they came
  std::vector<Token> tokens_;  // by id
  std::vector<Slot> slots_ = std::vector<Slot>(1);
  std::size_t mask_ = 0;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_DETAIL_TOKENIZER_VOCABULARY_HPP
