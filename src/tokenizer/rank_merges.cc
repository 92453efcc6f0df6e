// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/rank_merges.hpp"

#include <algorithm>
#include <cstdint>
#include <vector>

#include "tokenizer/merge_neighbours.hpp"
#include "util/error.hpp"

namespace qwen3guard::detail {
namespace {

/// As many as there can be ids: with the table of them, 185 MB. The published vocabulary has 294,166.
constexpr std::size_t kMaxPairs = Vocabulary::kMaxIds;

/// Of the squares of the tokens' lengths, to which the time is proportional.
constexpr std::uint64_t kMaxSquares = std::uint64_t{1} << 28;

/// Appends the pairs of tokens whose bytes together are those of `id`. Both tables that it looks into are
/// larger than a core's caches, so the look-ups of a token are fetched together.
void append_pairs(const Vocabulary& vocabulary, TokenId id, std::vector<TokenPair>& out) {
  struct Split {
    std::size_t n_left;
    std::uint64_t hash;
    TokenId left;
  };
  std::array<Split, kMaxRankedBytes> splits;
  const std::string_view bytes = vocabulary.bytes(id);
  std::size_t n = 0;
  for (std::size_t n_left = 1; n_left < bytes.size(); ++n_left, ++n) {
    splits[n] = {n_left, hash_bytes(bytes.substr(0, n_left)), -1};
    vocabulary.prefetch(splits[n].hash);
  }
  std::size_t n_found = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const std::size_t n_left = splits[i].n_left;
    const TokenId left = vocabulary.find(bytes.substr(0, n_left), splits[i].hash);
    if (left < 0) continue;
    splits[n_found] = {n_left, hash_bytes(bytes.substr(n_left)), left};
    vocabulary.prefetch(splits[n_found++].hash);
  }
  for (std::size_t i = 0; i < n_found; ++i) {
    const TokenId right = vocabulary.find(bytes.substr(splits[i].n_left), splits[i].hash);
    if (right >= 0) out.push_back({splits[i].left, right, id});
  }
}

MergeTable table_of(std::span<const TokenPair> pairs) {
  constexpr std::size_t kBatch = 32;
  MergeTable out;
  out.reset(pairs.size());
  for (std::size_t first = 0; first < pairs.size(); first += kBatch) {
    const auto batch = pairs.subspan(first, std::min(kBatch, pairs.size() - first));
    for (const TokenPair& pair : batch) out.prefetch(pair.left, pair.right);
    for (const TokenPair& pair : batch)
      out.add(pair.left, pair.right, {static_cast<std::uint32_t>(pair.merged), pair.merged});
  }
  return out;
}

}  // namespace

std::optional<TokenPair> LastMerge::operator()(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) ids_[i] = byte_ids_[static_cast<unsigned char>(bytes[i])];
  TokenPair last;
  const auto note = [&](std::size_t i) { last = {ids_[i], ids_[i + 1], found_[i].id}; };
  const std::size_t n = merge_neighbours(merges_, ids_.data(), found_.data(), bytes.size(), note);
  if (n != 1 || bytes.size() < 2) return std::nullopt;
  return last;
}

Result<MergeTable> rank_merges(const Vocabulary& vocabulary, std::span<const TokenId> ids) {
  std::uint64_t squares = 0;
  for (const TokenId id : ids)
    squares += std::uint64_t{vocabulary.bytes(id).size()} * vocabulary.bytes(id).size();
  if (squares > kMaxSquares)
    return error(ErrorCode::bad_tokenizer,
                 "too many long tokens: the squares of their lengths in bytes add up to ", squares,
                 "; at most ", kMaxSquares, " are expected");
  std::vector<TokenPair> pairs;
  pairs.reserve(2 * ids.size());
  for (const TokenId id : ids) {
    append_pairs(vocabulary, id, pairs);
    if (pairs.size() > kMaxPairs)
      return error(ErrorCode::bad_tokenizer, "too many pairs of tokens make a token; at most ", kMaxPairs,
                   " are expected");
  }
  const MergeTable all = table_of(pairs);
  LastMerge last_merge(vocabulary, all);
  std::size_t n_kept = 0;
  for (std::size_t first = 0, end = 0; first < pairs.size(); first = end) {
    const TokenId id = pairs[first].merged;
    for (end = first; end < pairs.size() && pairs[end].merged == id;) ++end;
    const auto last = end == first + 1 ? pairs[first] : last_merge(vocabulary.bytes(id));
    if (last) pairs[n_kept++] = *last;
  }
  return table_of(std::span(pairs).first(n_kept));
}

}  // namespace qwen3guard::detail
