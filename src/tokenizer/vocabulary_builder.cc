// SPDX-License-Identifier: Apache-2.0
#include "vocabulary_builder.hpp"

#include <algorithm>
#include <utility>

#include "qwen3guard/detail/tokenizer/byte_level.hpp"
#include "qwen3guard/detail/util/try.hpp"

namespace qwen3guard::detail {
namespace {

Error bad(std::string what) { return {ErrorCode::bad_tokenizer, std::move(what)}; }

}  // namespace

std::string quoted(std::string_view text) {
  constexpr std::size_t kMost = 40;
  std::size_t n = std::min(text.size(), kMost);
  while (n > 0 && n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) --n;
  std::string out = "\"";
  for (const char c : text.substr(0, n))
    out.push_back(static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? '?' : c);
  return out.append(n < text.size() ? "...\"" : "\"");
}

Error prefixed(Error error, const std::string& where) {
  error.detail.insert(0, where + ": ");
  return error;
}

Status VocabularyBuilder::add_token(std::string_view piece, std::int64_t id) {
  if (id < 0 || id >= Vocabulary::kMaxIds)
    return bad("id " + std::to_string(id) + " is not in [0, " + std::to_string(Vocabulary::kMaxIds) + ")");
  if (piece.empty()) return bad("an empty token");
  const auto token_id = static_cast<TokenId>(id);
  const bool byte_level = byte_level_to_bytes(piece, left_);
  if (!parts_.vocabulary.set_bytes(token_id, byte_level ? std::string_view(left_) : piece))
    return bad("id " + std::to_string(id) + " is taken by another token");
  if (byte_level) ids_.push_back(token_id);
  return {};
}

Status VocabularyBuilder::add_added_token(AddedToken token) {
  if (token.id < 0 || token.id >= Vocabulary::kMaxIds)
    return bad("id " + std::to_string(token.id) + " is not in [0, " + std::to_string(Vocabulary::kMaxIds) +
               ")");
  if (token.content.empty()) return bad("content is empty");
  const std::string_view regular = parts_.vocabulary.bytes(token.id);
  if (regular.empty()) {
    (void)parts_.vocabulary.set_bytes(token.id, token.content);
  } else if (regular != token.content && !(byte_level_to_bytes(token.content, left_) && left_ == regular)) {
    return bad("id " + std::to_string(token.id) + " is taken by another token");
  }
  if (!added_ids_.insert(token.id).second) return bad("id " + std::to_string(token.id) + " is there twice");
  if (!added_contents_.insert(token.content).second)
    return bad("content " + quoted(token.content) + " is there twice");
  parts_.added.push_back(std::move(token));
  return {};
}

Status VocabularyBuilder::index(std::size_t n_merges) {
  // No text may encode to a control token by way of the merges.
  std::vector<std::uint8_t> special(static_cast<std::size_t>(parts_.vocabulary.size()));
  for (const AddedToken& token : parts_.added)
    special[static_cast<std::size_t>(token.id)] = token.special ? 1 : 0;
  std::erase_if(ids_, [&](TokenId id) { return special[static_cast<std::size_t>(id)] != 0; });
  indexed_.assign(special.size(), 0);
  for (const TokenId id : ids_) indexed_[static_cast<std::size_t>(id)] = 1;
  if (const auto twice = parts_.vocabulary.index(ids_))
    return bad("id " + std::to_string(*twice) + " has the bytes of another token");
  for (std::size_t byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(static_cast<unsigned char>(byte));
    if (parts_.vocabulary.find({&text, 1}) < 0)
      return bad("no token for the single byte " + std::to_string(byte) + "; all 256 are needed");
  }
  parts_.merges.reset(n_merges);
  return {};
}

Result<TokenId> VocabularyBuilder::find(std::string_view piece, std::string& bytes) const {
  if (byte_level_to_bytes(piece, bytes)) {
    if (const TokenId id = parts_.vocabulary.find(bytes); id >= 0) return id;
  }
  return bad(quoted(piece) + " is no token of the vocabulary, or a control token");
}

Status VocabularyBuilder::add_merge(std::uint32_t rank, std::string_view left, std::string_view right) {
  Q3G_ASSIGN(const TokenId left_id, find(left, left_));
  Q3G_ASSIGN(const TokenId right_id, find(right, right_));
  left_.append(right_);
  // Most files number tokens in the order of the merges that make them, which saves the third look-up.
  const TokenId next = last_merged_ + 1;
  const bool in_order =
      parts_.vocabulary.bytes(next) == left_ && indexed_[static_cast<std::size_t>(next)] != 0;
  const TokenId merged = in_order ? next : parts_.vocabulary.find(left_);
  if (merged < 0)
    return bad(quoted(left) + " and " + quoted(right) +
               " make what is no token of the vocabulary, or a control token");
  parts_.merges.add(left_id, right_id, {rank, merged});
  last_merged_ = merged;
  return {};
}

Status VocabularyBuilder::add_merge(std::uint32_t rank, std::string_view line) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos)
    return bad(quoted(line) + " is not two tokens with one space between them");
  return add_merge(rank, line.substr(0, space), line.substr(space + 1));
}

}  // namespace qwen3guard::detail
