// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_TOKENIZER_IMPL_HPP
#define QWEN3GUARD_SRC_TOKENIZER_TOKENIZER_IMPL_HPP

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/added_tokens.hpp"
#include "tokenizer/bpe.hpp"
#include "tokenizer/merge_table.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer/vocabulary.hpp"

namespace qwen3guard::detail {

/// What a loader reads from the files, checked.
struct TokenizerParts {
  Vocabulary vocabulary;  ///< added tokens included, though not indexed
  MergeTable merges;
  bool ignore_merges = false;
  bool nfc = false;
  PreTokenizer pre_tokenizer;
  std::vector<AddedToken> added;
};

/// By id, 1 for control tokens: added tokens that are marked so, and every token whose text is that of one.
/// Throws std::bad_alloc.
[[nodiscard]] std::vector<std::uint8_t> control_tokens(const Vocabulary& vocabulary,
                                                       std::span<const AddedToken> added);

/// The tokenizer itself. Immutable (see Bpe for its notes); safe to share between threads.
class TokenizerImpl {
 public:
  explicit TokenizerImpl(TokenizerParts parts);

  /// The most bytes of a text with n_tokens tokens: a longer one need not be looked at.
  [[nodiscard]] std::size_t max_text_bytes(std::size_t n_tokens) const noexcept;
  /// The same of a text in NFC.
  [[nodiscard]] std::size_t max_normalized_bytes(std::size_t n_tokens) const noexcept;
  /// Of the vocabulary's tokens and the added ones.
  [[nodiscard]] std::size_t longest_token_bytes() const noexcept { return longest_bytes_; }

  /// Appends the bytes of `id` to `out`, or nothing when it is special and skipped. False when it has no
  /// token.
  [[nodiscard]] bool append_bytes(TokenId id, bool skip_special, std::string& out) const;

  [[nodiscard]] const Vocabulary& vocabulary() const noexcept { return bpe_.vocabulary(); }
  [[nodiscard]] const Bpe& bpe() const noexcept { return bpe_; }
  [[nodiscard]] const PreTokenizer& pre_tokenizer() const noexcept { return pre_tokenizer_; }
  [[nodiscard]] bool nfc() const noexcept { return nfc_; }
  /// Added tokens that are looked for before NFC, and behind it.
  [[nodiscard]] const AddedTokenMatcher& raw_matcher() const noexcept { return raw_; }
  [[nodiscard]] const AddedTokenMatcher& normalized_matcher() const noexcept { return normalized_; }
  /// Sorted by content.
  [[nodiscard]] const std::vector<AddedToken>& added() const noexcept { return added_; }
  [[nodiscard]] bool is_special(TokenId id) const noexcept;
  /// Id of the added token; -1 when there is none.
  [[nodiscard]] TokenId find_added(std::string_view content) const noexcept;

 private:
  Bpe bpe_;
  PreTokenizer pre_tokenizer_;
  bool nfc_;
  std::vector<AddedToken> added_;       // sorted by content
  std::vector<std::uint8_t> special_;   // by id
  AddedTokenMatcher raw_, normalized_;  // looked for before and after NFC
  std::size_t longest_bytes_ = 0;       // of a token
};

/// Tokenizer::encode_to with a bound: context_full, with what is known in the detail, when `out` would have
/// more than max_ids; a text that is much too long is not looked at. Errors: as Tokenizer::encode_to; `out`
/// is unchanged then. Throws std::bad_alloc.
[[nodiscard]] Status encode_within(const TokenizerImpl& tokenizer, std::string_view text, SpecialTokens mode,
                                   std::size_t max_ids, std::vector<TokenId>& out);

/// The way from the public class to its implementation and back, for the library itself.
struct TokenizerAccess {
  /// Lives as long as any copy of `tokenizer`.
  [[nodiscard]] static const TokenizerImpl& impl(const Tokenizer& tokenizer) noexcept {
    return *tokenizer.impl_;
  }
  /// Throws std::bad_alloc.
  [[nodiscard]] static Tokenizer make(TokenizerParts parts) {
    return Tokenizer(std::make_shared<const TokenizerImpl>(std::move(parts)));
  }
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_TOKENIZER_IMPL_HPP
