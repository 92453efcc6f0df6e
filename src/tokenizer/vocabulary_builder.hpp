// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_BUILDER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_BUILDER_HPP

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "qwen3guard/detail/tokenizer/tokenizer_impl.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::detail {

/// Checks and collects a vocabulary, its merges and its added tokens, in the order of the calls below.
/// Errors are bad_tokenizer; their detail lacks the file and the key, which the caller puts in front.
class VocabularyBuilder {
 public:
  /// Room for tokens whose bytes add up to about n_bytes.
  void reserve(std::size_t n_tokens, std::size_t n_bytes) {
    parts_.vocabulary.reserve(n_tokens, n_bytes);
    ids_.reserve(n_tokens);
  }

  /// 1. A token in byte-level characters. One with other characters can be decoded, but no merge makes it.
  [[nodiscard]] Status add_token(std::string_view piece, std::int64_t id);
  /// 2. After the last token: the added tokens. They may repeat tokens of the vocabulary.
  [[nodiscard]] Status add_added_token(AddedToken token);
  /// 3. After the last added token. `n_merges` is an upper bound.
  [[nodiscard]] Status index(std::size_t n_merges);
  /// 4. The merge of this rank, in byte-level characters.
  [[nodiscard]] Status add_merge(std::uint32_t rank, std::string_view left, std::string_view right);
  /// 5. "left right", as in merges.txt.
  [[nodiscard]] Status add_merge(std::uint32_t rank, std::string_view line);

  /// 6. The collected parts; the builder is then empty.
  [[nodiscard]] TokenizerParts take() { return std::move(parts_); }

 private:
  [[nodiscard]] Result<TokenId> find(std::string_view piece, std::string& bytes) const;

  TokenizerParts parts_;
  std::vector<TokenId> ids_;           // of the tokens that merges can make
  std::vector<std::uint8_t> indexed_;  // by id: is one of them
  TokenId last_merged_ = -1;
  std::unordered_set<TokenId> added_ids_;
  std::unordered_set<std::string> added_contents_;
  std::string left_, right_;
};

/// `text` in quotes for an error's detail, cut after 40 bytes, control characters as '?'.
[[nodiscard]] std::string quoted(std::string_view text);

/// Puts "<where>: " in front of an error's detail.
[[nodiscard]] Error prefixed(Error error, const std::string& where);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_BUILDER_HPP
