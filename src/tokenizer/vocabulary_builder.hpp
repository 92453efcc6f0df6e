// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_BUILDER_HPP
#define QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_BUILDER_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "qwen3guard/status.hpp"
#include "tokenizer/tokenizer_impl.hpp"

namespace qwen3guard::detail {

/// Checks and collects a vocabulary, its merges and its added tokens, in the order of the calls below.
/// Errors are bad_tokenizer; their detail lacks the file and the key, which the caller puts in front, except
/// for merges.
class VocabularyBuilder {
 public:
  /// Room for tokens whose bytes add up to about n_bytes.
  void reserve(std::size_t n_tokens, std::size_t n_bytes) {
    parts_.vocabulary.reserve(n_tokens, n_bytes);
    ids_.reserve(n_tokens);
  }

  /// 1. A token in byte-level characters. One with other characters can be decoded, but no merge makes it.
  [[nodiscard]] Status add_token(std::string_view piece, std::int64_t id);
  /// The same of a token's bytes, which it borrows for the call.
  [[nodiscard]] Status add_token_bytes(std::string_view bytes, std::int64_t id);
  /// 2. After the last token: the added tokens. They may repeat tokens of the vocabulary.
  [[nodiscard]] Status add_added_token(AddedToken token);
  /// 3. After the last added token. `n_merges` is an upper bound. `where(place)` names the place of a merge
  /// in errors; it is called before take() returns.
  [[nodiscard]] Status index(std::size_t n_merges, std::function<std::string(std::size_t place)> where);
  /// 3. and 4. when there are no merges but tiktoken's rule (see rank_merges.hpp). `place(id)` names a token
  /// in errors.
  [[nodiscard]] Status use_rank_merges(const std::function<std::string(TokenId)>& place);
  /// 4. The next merge in the order of ranks, in byte-level characters, which must live until take(). An
  /// error may be that of an earlier merge: they are looked at in batches.
  [[nodiscard]] Status add_merge(std::size_t place, std::string_view left, std::string_view right);
  /// The same of "left right", as in merges.txt.
  [[nodiscard]] Status add_merge(std::size_t place, std::string_view line);

  /// 5. The collected parts; the builder is then empty. Errors: of the last merges.
  [[nodiscard]] Result<TokenizerParts> take();

 private:
  struct PendingMerge {
    std::size_t place = 0;
    std::string_view left, right;           // as in the file
    std::size_t begin = 0;                  // of their bytes in pending_bytes_
    std::uint32_t n_left = 0, n_right = 0;  // none: not byte-level
    std::uint64_t left_hash = 0, right_hash = 0;
  };
  static constexpr std::size_t kBatch = 32;

  [[nodiscard]] Status set_bytes(std::string_view bytes, std::int64_t id);
  [[nodiscard]] Status index_tokens(const std::function<std::string(TokenId)>& place);
  [[nodiscard]] Status bad_merge(const PendingMerge& merge, const std::string& what) const;
  [[nodiscard]] Status add_pending();
  [[nodiscard]] std::uint32_t append_pending_bytes(std::string_view piece, std::uint64_t& hash);

  TokenizerParts parts_;
  std::vector<TokenId> ids_;           // of the tokens that merges can make
  std::vector<std::uint8_t> indexed_;  // by id: is one of them
  std::unordered_set<TokenId> added_ids_;
  std::unordered_set<std::string> added_contents_;
  std::string bytes_;
  std::function<std::string(std::size_t)> where_;
  std::array<PendingMerge, kBatch> pending_;
  std::size_t n_pending_ = 0;
  std::string pending_bytes_;  // as long as need be; the first n_pending_bytes_ are in use
  std::size_t n_pending_bytes_ = 0;
  std::uint32_t next_rank_ = 0;
  TokenId last_merged_ = -1;
};

/// Puts "<where>: " in front of an error's detail.
[[nodiscard]] Error prefixed(Error error, const std::string& where);

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_TOKENIZER_VOCABULARY_BUILDER_HPP
