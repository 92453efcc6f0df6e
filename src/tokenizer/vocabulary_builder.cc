// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/vocabulary_builder.hpp"

#include <algorithm>
#include <utility>

#include "qwen3guard/quote.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/rank_merges.hpp"
#include "util/error.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

template <class... Parts>
Error bad_vocabulary(const Parts&... what) {
  return error(ErrorCode::bad_tokenizer, what...);
}

}  // namespace

Error prefixed(Error error, const std::string& where) {
  error.detail.insert(0, where + ": ");
  return error;
}

Status VocabularyBuilder::set_bytes(std::string_view bytes, std::int64_t id) {
  if (id < 0 || id >= Vocabulary::kMaxIds)
    return bad_vocabulary("id ", id, " is not in [0, ", Vocabulary::kMaxIds, ")");
  if (bytes.empty()) return bad_vocabulary("an empty token");
  if (!parts_.vocabulary.set_bytes(static_cast<TokenId>(id), bytes))
    return bad_vocabulary("id ", id, " is taken by another token");
  return {};
}

Status VocabularyBuilder::add_token(std::string_view piece, std::int64_t id) {
  if (bytes_.size() < piece.size()) bytes_.resize(2 * piece.size());
  const auto n_bytes = byte_level_to_bytes(piece, bytes_.data());
  Q3G_TRY(set_bytes(n_bytes ? std::string_view(bytes_.data(), *n_bytes) : piece, id));
  if (n_bytes) ids_.push_back(static_cast<TokenId>(id));
  return {};
}

Status VocabularyBuilder::add_token_bytes(std::string_view bytes, std::int64_t id) {
  Q3G_TRY(set_bytes(bytes, id));
  ids_.push_back(static_cast<TokenId>(id));
  return {};
}

Status VocabularyBuilder::add_added_token(AddedToken token) {
  if (token.id < 0 || token.id >= Vocabulary::kMaxIds)
    return bad_vocabulary("id ", token.id, " is not in [0, ", Vocabulary::kMaxIds, ")");
  if (token.content.empty()) return bad_vocabulary("content is empty");
  if (token.content.size() > AddedToken::kMaxBytes) {
    return bad_vocabulary("content has ", token.content.size(), " bytes; at most ", AddedToken::kMaxBytes,
                          " are expected");
  }
  const std::string_view regular = parts_.vocabulary.bytes(token.id);
  if (regular.empty()) {
    (void)parts_.vocabulary.set_bytes(token.id, token.content);
  } else if (regular != token.content && !(byte_level_to_bytes(token.content, bytes_) && bytes_ == regular)) {
    return bad_vocabulary("id ", token.id, " is taken by another token");
  }
  if (!added_ids_.insert(token.id).second) return bad_vocabulary("id ", token.id, " is there twice");
  if (!added_contents_.insert(token.content).second)
    return bad_vocabulary("content ", quote(token.content), " is there twice");
  token.special = token.special || is_control_text(token.content);
  parts_.added.push_back(std::move(token));
  return {};
}

Status VocabularyBuilder::index_tokens(const std::function<std::string(TokenId)>& place) {
  // No text may encode to a control token by way of the merges.
  const std::vector<std::uint8_t> special = control_tokens(parts_.vocabulary, parts_.added);
  std::erase_if(ids_, [&](TokenId id) { return special[static_cast<std::size_t>(id)] != 0; });
  indexed_.assign(special.size(), 0);
  for (const TokenId id : ids_) indexed_[static_cast<std::size_t>(id)] = 1;
  if (const auto twice = parts_.vocabulary.index(ids_))
    return bad_vocabulary(place(*twice), " has the bytes of ",
                          place(parts_.vocabulary.find(parts_.vocabulary.bytes(*twice))));
  const auto byte_ids = parts_.vocabulary.byte_ids();
  if (const auto missing = std::find(byte_ids.begin(), byte_ids.end(), -1); missing != byte_ids.end())
    return bad_vocabulary("no token for the single byte ", missing - byte_ids.begin(),
                          "; all 256 are needed");
  return {};
}

Status VocabularyBuilder::use_rank_merges(const std::function<std::string(TokenId)>& place) {
  Q3G_TRY(index_tokens(place));
  Q3G_ASSIGN(parts_.merges, rank_merges(parts_.vocabulary, ids_));
  return {};
}

Status VocabularyBuilder::index(std::size_t n_merges, std::function<std::string(std::size_t)> where) {
  Q3G_TRY(index_tokens([](TokenId id) { return concat("id ", id); }));
  parts_.merges.reset(n_merges);
  where_ = std::move(where);
  return {};
}

std::uint32_t VocabularyBuilder::append_pending_bytes(std::string_view piece, std::uint64_t& hash) {
  if (n_pending_bytes_ + piece.size() > pending_bytes_.size())
    pending_bytes_.resize(2 * (n_pending_bytes_ + piece.size()));
  char* const out = pending_bytes_.data() + n_pending_bytes_;
  const std::size_t n = byte_level_to_bytes(piece, out).value_or(0);
  n_pending_bytes_ += n;
  hash = hash_bytes({out, n});
  parts_.vocabulary.prefetch(hash);
  return static_cast<std::uint32_t>(n);
}

Status VocabularyBuilder::add_merge(std::size_t place, std::string_view left, std::string_view right) {
  PendingMerge& merge = pending_[n_pending_++];
  merge.place = place;
  merge.left = left;
  merge.right = right;
  merge.begin = n_pending_bytes_;
  merge.n_left = append_pending_bytes(left, merge.left_hash);
  merge.n_right = append_pending_bytes(right, merge.right_hash);
  return n_pending_ == kBatch ? add_pending() : Status();
}

Status VocabularyBuilder::add_merge(std::size_t place, std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
    return prefixed(bad_vocabulary(quote(line), " is not two tokens with one space between them"),
                    where_(place));
  return add_merge(place, line.substr(0, space), line.substr(space + 1));
}

Status VocabularyBuilder::bad_merge(const PendingMerge& merge, const std::string& what) const {
  return prefixed(bad_vocabulary(what, " no token of the vocabulary, or a control token"),
                  where_(merge.place));
}

/// Both tables are larger than the caches of one core, so their lines are fetched for a batch at once: those
/// of the vocabulary while the batch fills, those of the merges in the first loop here.
Status VocabularyBuilder::add_pending() {
  struct Resolved {
    TokenId left, right, merged;
  };
  std::array<Resolved, kBatch> resolved;
  const Vocabulary& vocabulary = parts_.vocabulary;
  for (std::size_t i = 0; i < n_pending_; ++i) {
    const PendingMerge& merge = pending_[i];
    const std::string_view joined(pending_bytes_.data() + merge.begin, merge.n_left + merge.n_right);
    const TokenId left = vocabulary.find(joined.substr(0, merge.n_left), merge.left_hash);
    if (left < 0) return bad_merge(merge, quote(merge.left) + " is");
    const TokenId right = vocabulary.find(joined.substr(merge.n_left), merge.right_hash);
    if (right < 0) return bad_merge(merge, quote(merge.right) + " is");
    // Most files number tokens in the order of the merges that make them, which saves the third look-up.
    const TokenId next = last_merged_ + 1;
    const bool in_order = vocabulary.bytes(next) == joined && indexed_[static_cast<std::size_t>(next)] != 0;
    const TokenId merged = in_order ? next : vocabulary.find(joined);
    if (merged < 0)
      return bad_merge(merge, quote(merge.left) + " and " + quote(merge.right) + " make what is");
    last_merged_ = merged;
    resolved[i] = {left, right, merged};
    parts_.merges.prefetch(left, right);
  }
  for (std::size_t i = 0; i < n_pending_; ++i)
    parts_.merges.add(resolved[i].left, resolved[i].right, {next_rank_++, resolved[i].merged});
  n_pending_ = n_pending_bytes_ = 0;
  return {};
}

Result<TokenizerParts> VocabularyBuilder::take() {
  Q3G_TRY(add_pending());
  return std::move(parts_);
}

}  // namespace qwen3guard::detail
