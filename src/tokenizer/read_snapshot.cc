// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <bit>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "tokenizer/snapshot.hpp"
#include "tokenizer/snapshot_layout.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "util/aligned_buffer.hpp"
#include "util/error.hpp"
#include "util/guarded.hpp"
#include "util/try.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::detail {
namespace {

/// Checks a snapshot section by section; each check relies on those before it.
class SnapshotReader {
 public:
  SnapshotReader(std::span<const std::byte> bytes, std::shared_ptr<const void> owner, const std::string& name)
      : bytes_(bytes), owner_(std::move(owner)), name_(name) {}

  [[nodiscard]] Result<TokenizerParts> read() {
    Q3G_TRY(read_header());
    align();
    const SnapshotLayout layout(header_);
    vocabulary_.text = text_at(layout.text, header_.n_text_bytes);
    vocabulary_.tokens = array_at<TokenSpan>(layout.tokens, header_.n_ids);
    vocabulary_.slots = array_at<VocabularySlot>(layout.vocabulary_slots, header_.n_vocabulary_slots);
    strings_ = text_at(layout.strings, header_.n_string_bytes);
    const auto merges = array_at<MergeSlot>(layout.merge_slots, header_.n_merge_slots);

    TokenizerParts parts;
    parts.nfc = (header_.flags & SnapshotHeader::kNfc) != 0;
    parts.ignore_merges = (header_.flags & SnapshotHeader::kIgnoreMerges) != 0;
    Q3G_TRY(check_tokens());
    parts.vocabulary = Vocabulary(vocabulary_, owner_);
    Q3G_TRY(read_added(array_at<SnapshotAdded>(layout.added, header_.n_added), parts.added));
    special_ = control_tokens(parts.vocabulary, parts.added);
    Q3G_TRY(check_vocabulary());
    Q3G_TRY(check_merges(merges));
    Q3G_TRY(
        read_patterns(array_at<SnapshotPattern>(layout.patterns, header_.n_patterns), parts.pre_tokenizer));
    parts.merges = MergeTable(merges, owner_);
    Q3G_TRY(check_bytes(parts.vocabulary));
    return parts;
  }

 private:
  template <class... Parts>
  [[nodiscard]] Error bad(const Parts&... what) const {
    return error(ErrorCode::bad_tokenizer, name_, ": tokenizer snapshot: ", what...);
  }

  /// "id 7 is not in [0, 5)"
  [[nodiscard]] Error bad_id(const std::string& where, std::int64_t id) const {
    return bad(where, ": id ", id, " is not in [0, ", header_.n_ids, ")");
  }

  template <class T>
  [[nodiscard]] std::span<const T> array_at(std::uint64_t offset, std::size_t n) const noexcept {
    return {reinterpret_cast<const T*>(bytes_.data() + offset), n};
  }
  [[nodiscard]] std::string_view text_at(std::uint64_t offset, std::size_t n) const noexcept {
    return {reinterpret_cast<const char*>(bytes_.data() + offset), n};
  }

  [[nodiscard]] bool has_token(std::uint64_t id) const noexcept {
    return id < vocabulary_.tokens.size() && vocabulary_.tokens[id].n_bytes != 0;
  }

  Status read_header() {
    if (bytes_.size() < sizeof header_)
      return bad(bytes_.size(), " bytes; the header alone has ", sizeof header_);
    std::memcpy(&header_, bytes_.data(), sizeof header_);
    if (header_.magic != kSnapshotMagic) return bad("does not start with \"Q3GTOKEN\"");
    if (header_.version != kSnapshotVersion) {
      return error(ErrorCode::unsupported_model, name_, ": tokenizer snapshot: version ", header_.version,
                   "; this library reads version ", kSnapshotVersion);
    }
    if ((header_.flags & ~(SnapshotHeader::kNfc | SnapshotHeader::kIgnoreMerges)) != 0 ||
        header_.reserved != 0)
      return bad("header: unknown flags");
    if (header_.n_ids > Vocabulary::kMaxIds)
      return bad("header: ", header_.n_ids, " ids; at most ", Vocabulary::kMaxIds, " are expected");
    if (!std::has_single_bit(header_.n_vocabulary_slots) || !std::has_single_bit(header_.n_merge_slots))
      return bad("header: a number of slots is no power of two");
    const std::uint64_t expected = SnapshotLayout(header_).end;
    if (header_.n_bytes != bytes_.size() || expected != bytes_.size())
      return bad(bytes_.size(), " bytes; the header says ", header_.n_bytes, ", and its counts make ",
                 expected);
    return {};
  }

  /// The tables hold 8-byte words, so elsewhere than on their boundary the snapshot is copied.
  void align() {
    if (reinterpret_cast<std::uintptr_t>(bytes_.data()) % alignof(std::uint64_t) == 0) return;
    auto copy = std::make_shared<AlignedBuffer<std::byte>>(bytes_.size());
    std::memcpy(copy->data(), bytes_.data(), bytes_.size());
    bytes_ = copy->span();
    owner_ = std::move(copy);
  }

  [[nodiscard]] Status check_tokens() const {
    const std::uint64_t n_text = vocabulary_.text.size();
    for (std::size_t id = 0; id < vocabulary_.tokens.size(); ++id) {
      const TokenSpan token = vocabulary_.tokens[id];
      if (std::uint64_t{token.begin} + token.n_bytes > n_text)
        return bad("token ", id, ": bytes [", token.begin, ", +", token.n_bytes, ") are outside the text of ",
                   n_text);
    }
    return {};
  }

  /// One of the strings; UTF-8, because text is cut where its matches end.
  [[nodiscard]] Result<std::string_view> string_at(std::uint32_t begin, std::uint32_t n_bytes,
                                                   const std::string& where) const {
    if (std::uint64_t{begin} + n_bytes > strings_.size())
      return bad(where, ": bytes [", begin, ", +", n_bytes, ") are outside the strings of ", strings_.size());
    const std::string_view text = strings_.substr(begin, n_bytes);
    if (text.empty()) return bad(where, ": empty");
    if (const auto at = find_invalid_utf8(text)) return bad(where, ": ill-formed UTF-8 at byte ", *at);
    return text;
  }

  Status read_added(std::span<const SnapshotAdded> records, std::vector<AddedToken>& added) const {
    constexpr std::uint32_t kAll = SnapshotAdded::kSpecial | SnapshotAdded::kLstrip | SnapshotAdded::kRstrip |
                                   SnapshotAdded::kNormalized;
    std::vector<bool> is_added(header_.n_ids);
    for (std::size_t i = 0; i < records.size(); ++i) {
      const SnapshotAdded record = records[i];
      const std::string where = concat("added token ", i);
      const auto id = static_cast<std::uint32_t>(record.id);
      if (!has_token(id)) return bad_id(where, record.id);
      if ((record.flags & ~kAll) != 0) return bad(where, ": unknown flags");
      if (is_added[id]) return bad(where, ": id ", id, " is there twice");
      Q3G_ASSIGN(const std::string_view content, string_at(record.begin, record.n_bytes, where));
      if (content.size() > AddedToken::kMaxBytes)
        return bad(where, ": ", content.size(), " bytes; at most ", AddedToken::kMaxBytes, " are expected");
      if (i > 0 && added.back().content >= content)
        return bad(where, ": not in the order of the contents, or twice");
      is_added[id] = true;
      added.push_back({record.id, std::string(content),
                       (record.flags & SnapshotAdded::kSpecial) != 0 || is_control_text(content),
                       (record.flags & SnapshotAdded::kLstrip) != 0,
                       (record.flags & SnapshotAdded::kRstrip) != 0,
                       (record.flags & SnapshotAdded::kNormalized) != 0});
    }
    return {};
  }

  /// What a look-up finds is the token with these bytes, no control token, and each look-up ends.
  [[nodiscard]] Status check_vocabulary() const {
    std::size_t n_used = 0;
    for (std::size_t i = 0; i < vocabulary_.slots.size(); ++i) {
      const VocabularySlot slot = vocabulary_.slots[i];
      if (slot.id < 0) continue;
      ++n_used;
      const auto id = static_cast<std::size_t>(slot.id);
      if (!has_token(id)) return bad_id(vocabulary_slot(i), slot.id);
      const TokenSpan token = vocabulary_.tokens[id];
      if (special_[id] != 0) return bad(vocabulary_slot(i), ": id ", id, " is a control token");
      if (slot.n_bytes != token.n_bytes ||
          slot.hash != hash_bytes(vocabulary_.text.substr(token.begin, token.n_bytes)))
        return bad(vocabulary_slot(i), ": length or hash is not that of token ", id);
    }
    if (n_used == vocabulary_.slots.size()) return bad("no vocabulary slot is empty");
    return {};
  }

  /// Merges keep the number of bytes, make no control token, and each look-up ends.
  [[nodiscard]] Status check_merges(std::span<const MergeSlot> slots) const {
    std::size_t n_used = 0;
    for (std::size_t i = 0; i < slots.size(); ++i) {
      const MergeSlot& slot = slots[i];
      if (slot.key == MergeSlot::kEmpty) continue;
      ++n_used;
      const auto left = static_cast<std::uint32_t>(slot.key >> 32);
      const auto right = static_cast<std::uint32_t>(slot.key);
      const auto merged = static_cast<std::uint32_t>(slot.merge.id);
      for (const std::uint32_t id : {left, right, merged}) {
        if (!has_token(id)) return bad_id(merge_slot(i), id);
      }
      const std::span<const TokenSpan> tokens = vocabulary_.tokens;
      if (std::uint64_t{tokens[left].n_bytes} + tokens[right].n_bytes != tokens[merged].n_bytes)
        return bad(merge_slot(i), ": token ", merged, " is not as long as ", left, " and ", right);
      if (special_[merged] != 0) return bad(merge_slot(i), ": id ", merged, " is a control token");
    }
    if (n_used == slots.size()) return bad("no merge slot is empty");
    return {};
  }

  [[nodiscard]] Status read_patterns(std::span<const SnapshotPattern> records,
                                     PreTokenizer& pre_tokenizer) const {
    for (std::size_t i = 0; i < records.size(); ++i) {
      const std::string where = concat("pattern ", i);
      Q3G_ASSIGN(const std::string_view regex, string_at(records[i].begin, records[i].n_bytes, where));
      if (const Status status = pre_tokenizer.add_pattern(regex); !status.ok())
        return bad(where, ": ", status.error().detail);  // only patterns that compile are written
    }
    return {};
  }

  /// Every text can be encoded.
  [[nodiscard]] Status check_bytes(const Vocabulary& vocabulary) const {
    const auto byte_ids = vocabulary.byte_ids();
    const auto missing = std::find(byte_ids.begin(), byte_ids.end(), -1);
    if (missing == byte_ids.end()) return {};
    return bad("no token for the single byte ", missing - byte_ids.begin(), "; all 256 are needed");
  }

  static std::string vocabulary_slot(std::size_t i) { return concat("vocabulary slot ", i); }
  static std::string merge_slot(std::size_t i) { return concat("merge slot ", i); }

  std::span<const std::byte> bytes_;
  std::shared_ptr<const void> owner_;
  const std::string& name_;
  SnapshotHeader header_;
  VocabularyTables vocabulary_;
  std::string_view strings_;
  std::vector<std::uint8_t> special_;  // by id: a control token
};

}  // namespace

Result<Tokenizer> read_snapshot(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                                const std::string& display_name) {
  if constexpr (std::endian::native != std::endian::little)
    return error(ErrorCode::unsupported_model, display_name,
                 ": tokenizer snapshots need a little-endian machine");
  return guarded(display_name.c_str(), [&]() -> Result<Tokenizer> {
    Q3G_ASSIGN(TokenizerParts parts, SnapshotReader(bytes, std::move(owner), display_name).read());
    return TokenizerAccess::make(std::move(parts));
  });
}

}  // namespace qwen3guard::detail
