// SPDX-License-Identifier: Apache-2.0
#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include "tokenizer/snapshot.hpp"
#include "tokenizer/snapshot_layout.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/guarded.hpp"

namespace qwen3guard::detail {
namespace {

template <class Values>
void put(std::vector<std::byte>& out, std::uint64_t offset, const Values& values) {
  const auto bytes = std::as_bytes(std::span(values.data(), values.size()));
  if (!bytes.empty()) std::memcpy(out.data() + offset, bytes.data(), bytes.size());
}

std::uint32_t flags_of(const AddedToken& token) noexcept {
  return (token.special ? SnapshotAdded::kSpecial : 0) | (token.lstrip ? SnapshotAdded::kLstrip : 0) |
         (token.rstrip ? SnapshotAdded::kRstrip : 0) | (token.normalized ? SnapshotAdded::kNormalized : 0);
}

Result<std::vector<std::byte>> snapshot_of(const TokenizerImpl& impl) {
  std::string strings;
  std::vector<SnapshotAdded> added;
  for (const AddedToken& token : impl.added()) {
    added.push_back({token.id, flags_of(token), static_cast<std::uint32_t>(strings.size()),
                     static_cast<std::uint32_t>(token.content.size())});
    strings += token.content;
  }
  std::vector<SnapshotPattern> patterns;
  for (const std::string& pattern : impl.pre_tokenizer().patterns()) {
    patterns.push_back(
        {static_cast<std::uint32_t>(strings.size()), static_cast<std::uint32_t>(pattern.size())});
    strings += pattern;
  }
  const VocabularyTables& vocabulary = impl.vocabulary().tables();
  const std::span<const MergeSlot> merges = impl.bpe().merges().slots();
  for (const std::size_t n :
       {strings.size(), vocabulary.text.size(), vocabulary.slots.size(), merges.size()}) {
    if (n > std::numeric_limits<std::uint32_t>::max())
      return Error{ErrorCode::invalid_argument, "the tokenizer is too large for a snapshot: over 4 GiB"};
  }
  SnapshotHeader header;
  header.version = kSnapshotVersion;
  header.flags = (impl.nfc() ? SnapshotHeader::kNfc : 0) |
                 (impl.bpe().ignore_merges() ? SnapshotHeader::kIgnoreMerges : 0);
  header.n_ids = static_cast<std::uint32_t>(vocabulary.tokens.size());
  header.n_vocabulary_slots = static_cast<std::uint32_t>(vocabulary.slots.size());
  header.n_merge_slots = static_cast<std::uint32_t>(merges.size());
  header.n_added = static_cast<std::uint32_t>(added.size());
  header.n_patterns = static_cast<std::uint32_t>(patterns.size());
  header.n_text_bytes = static_cast<std::uint32_t>(vocabulary.text.size());
  header.n_string_bytes = static_cast<std::uint32_t>(strings.size());
  const SnapshotLayout layout(header);
  header.n_bytes = layout.end;
  std::vector<std::byte> out(layout.end);
  put(out, 0, std::span(&header, 1));
  put(out, layout.vocabulary_slots, vocabulary.slots);
  put(out, layout.merge_slots, merges);
  put(out, layout.tokens, vocabulary.tokens);
  put(out, layout.added, added);
  put(out, layout.patterns, patterns);
  put(out, layout.text, vocabulary.text);
  put(out, layout.strings, strings);
  return out;
}

}  // namespace

Result<std::vector<std::byte>> write_snapshot(const Tokenizer& tokenizer) {
  if constexpr (std::endian::native != std::endian::little)
    return Error{ErrorCode::unsupported_model, "tokenizer snapshots need a little-endian machine"};
  return guarded("write the tokenizer's snapshot", [&]() -> Result<std::vector<std::byte>> {
    return snapshot_of(TokenizerAccess::impl(tokenizer));
  });
}

}  // namespace qwen3guard::detail
