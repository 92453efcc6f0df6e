// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer/snapshot.hpp"
#include "tokenizer/snapshot_layout.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

using Bytes = std::vector<std::byte>;

Result<Tokenizer> read(const Bytes& bytes) { return read_snapshot(bytes, nullptr, "test"); }

/// The tokenizer of the models in the library.
std::string tiny_path() { return std::string(Q3G_TEST_DIR) + "/golden/tiny/gen/tokenizer.json"; }

/// A tokenizer with all that a snapshot can hold: flags of added tokens, two patterns, ids left out.
Tokenizer made_tokenizer() {
  test::JsonParts parts;
  parts.added = R"([{"id":300,"content":"<|end|>","special":true},{"id":302,"content":"<t>","lstrip":true},
    {"id":305,"content":"e\u0301","normalized":true,"rstrip":true},{"id":304,"content":"<\u00e9>","special":true}])";
  parts.pre_tokenizer =
      R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}"},"behavior":"Isolated"},
         {"type":"ByteLevel","add_prefix_space":false,"use_regex":true}]})";
  parts.model_extra = R"(,"ignore_merges":true)";
  return parts.load().value();
}

void check_same(const Tokenizer& a, const Tokenizer& b, const std::string& text) {
  CAPTURE(text);
  for (const SpecialTokens mode : {SpecialTokens::as_text, SpecialTokens::recognized}) {
    const auto ids = a.encode(text, mode).value();
    REQUIRE(b.encode(text, mode).value() == ids);
    REQUIRE(b.decode(ids, true).value() == a.decode(ids, true).value());
  }
  REQUIRE(b.find_bytes(text) == a.find_bytes(text));
  REQUIRE(b.find_added(text) == a.find_added(text));
}

/// The bytes of a T at `offset`, changed by `change`.
template <class T, class Change>
Bytes changed(Bytes bytes, std::size_t offset, const Change& change) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof value);
  change(value);
  std::memcpy(bytes.data() + offset, &value, sizeof value);
  return bytes;
}

SnapshotHeader header_of(const Bytes& bytes) {
  SnapshotHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  return header;
}

/// Index of the first used slot.
template <class Slot, class IsUsed>
std::size_t first_used(const Bytes& bytes, std::uint64_t offset, const IsUsed& is_used) {
  for (std::size_t i = 0;; ++i) {
    Slot slot;
    std::memcpy(&slot, bytes.data() + offset + i * sizeof slot, sizeof slot);
    if (is_used(slot)) return i;
  }
}

void check_bad(const Bytes& bytes, const std::string& what, ErrorCode code = ErrorCode::bad_tokenizer) {
  const auto result = read(bytes);
  CAPTURE(what);
  REQUIRE_FALSE(result.ok());
  CAPTURE(result.error().detail);
  CHECK(result.error().code == code);
  CHECK(result.error().detail.starts_with("test: tokenizer snapshot: "));
  CHECK(result.error().detail.find(what) != std::string::npos);
}

}  // namespace

TEST_CASE("snapshot: flags, patterns, ids left out and NFC of contents come back", "[tokenizer][snapshot]") {
  constexpr std::uint64_t kSeed = 4701;
  for (const Tokenizer& written : {made_tokenizer(), Tokenizer::load(tiny_path()).value()}) {
    const Bytes bytes = write_snapshot(written).value();
    const Tokenizer tokenizer = read(bytes).value();
    REQUIRE(tokenizer.vocab_size() == written.vocab_size());
    for (TokenId id = -1; id <= written.vocab_size(); ++id) {
      const auto token = written.token_bytes(id);
      REQUIRE(tokenizer.token_bytes(id) == token);
      REQUIRE(tokenizer.is_special(id) == written.is_special(id));
      if (token) REQUIRE(tokenizer.find_bytes(*token) == written.find_bytes(*token));
    }
    std::ifstream golden(test::small_path("golden.jsonl"));  // any lines will do
    for (std::string line; std::getline(golden, line);) check_same(written, tokenizer, line);
    for (const char* text : {"", "<|end|>", "<t>", "<|im_end|>", "<think>", " \xC3\xA9 x", "1234567 ab"})
      check_same(written, tokenizer, text);
    test::RandomText random(kSeed);
    CAPTURE(kSeed);
    for (int i = 0; i < q3g_test::iterations(1500); ++i) check_same(written, tokenizer, random.next());
    CHECK(write_snapshot(tokenizer).value() == bytes);
  }
}

TEST_CASE("snapshot: what is wrong is said", "[tokenizer][snapshot]") {
  const Bytes good = write_snapshot(made_tokenizer()).value();
  const SnapshotHeader header = header_of(good);
  const SnapshotLayout layout(header);
  const auto with_header = [&](auto change) { return changed<SnapshotHeader>(good, 0, change); };
  check_bad({}, "0 bytes; the header alone has 56");
  check_bad(with_header([](auto& h) { h.magic[0] = 'q'; }), "does not start with \"Q3GTOKEN\"");
  check_bad(with_header([](auto& h) { h.version = 7; }), "version 7; this library reads version 1",
            ErrorCode::unsupported_model);
  check_bad(with_header([](auto& h) { h.flags |= 4; }), "unknown flags");
  check_bad(with_header([](auto& h) { h.reserved = 1; }), "unknown flags");
  check_bad(with_header([](auto& h) { h.n_ids = 0x7FFFFFFF; }), "at most 4194304");
  check_bad(with_header([](auto& h) { --h.n_merge_slots; }), "no power of two");
  check_bad(with_header([](auto& h) { h.n_vocabulary_slots = 0; }), "no power of two");
  check_bad(with_header([](auto& h) { h.n_vocabulary_slots *= 2; }), "its counts make");
  check_bad(with_header([](auto& h) { ++h.n_bytes; }), "the header says");

  const std::size_t token = layout.tokens + 97 * sizeof(TokenSpan);
  check_bad(changed<TokenSpan>(good, token, [](auto& t) { t.n_bytes = 0xFFFFFFFF; }), "token 97: bytes [");
  check_bad(changed<TokenSpan>(good, token, [](auto& t) { t.n_bytes = 0; }), "is not in [0, 306)");

  const auto with_added = [&](auto change) { return changed<SnapshotAdded>(good, layout.added, change); };
  check_bad(with_added([](auto& a) { a.id = -5; }), "added token 0: id -5 is not in [0, 306)");
  check_bad(with_added([](auto& a) { a.id = 303; }), "added token 0: id 303 is not in");
  check_bad(with_added([](auto& a) { a.flags = 16; }), "added token 0: unknown flags");
  check_bad(with_added([](auto& a) { a.begin = 0xFFFFFFFF; }), "outside the strings");
  check_bad(with_added([](auto& a) { a.n_bytes = 0; }), "added token 0: empty");
  check_bad(changed<std::uint8_t>(good, layout.strings, [](auto& c) { c = 0xFF; }),
            "ill-formed UTF-8 at byte 0");
  SnapshotAdded second;
  std::memcpy(&second, good.data() + layout.added + sizeof second, sizeof second);
  check_bad(with_added([&](auto& a) { a.id = second.id; }), "is there twice");
  check_bad(with_added([&](auto& a) { a.begin = second.begin, a.n_bytes = second.n_bytes; }),
            "added token 1: not in the order");

  const std::size_t vocabulary = first_used<VocabularySlot>(good, layout.vocabulary_slots,
                                                            [](const auto& slot) { return slot.id >= 0; });
  const auto with_slot = [&](auto change) {
    return changed<VocabularySlot>(good, layout.vocabulary_slots + vocabulary * sizeof(VocabularySlot),
                                   change);
  };
  check_bad(with_slot([](auto& s) { s.id = 9999; }), "id 9999 is not in [0, 306)");
  check_bad(with_slot([](auto& s) { s.id = 300; }), "id 300 is a control token");
  check_bad(with_slot([](auto& s) { s.hash ^= 1; }), "length or hash is not that of token");
  check_bad(with_slot([](auto& s) { ++s.n_bytes; }), "length or hash is not that of token");

  const std::size_t merge = first_used<MergeSlot>(
      good, layout.merge_slots, [](const auto& slot) { return slot.key != MergeSlot::kEmpty; });
  const auto with_merge = [&](auto change) {
    return changed<MergeSlot>(good, layout.merge_slots + merge * sizeof(MergeSlot), change);
  };
  check_bad(with_merge([](auto& s) { s.merge.id = -1; }), "is not in [0, 306)");
  check_bad(with_merge([](auto& s) { s.key = std::uint64_t{500} << 32; }), "id 500 is not in [0, 306)");
  check_bad(with_merge([](auto& s) { s.merge.id = 'a'; }), "token 97 is not as long as");

  const auto with_pattern = [&](auto change) {
    return changed<SnapshotPattern>(good, layout.patterns, change);
  };
  check_bad(with_pattern([](auto& p) { p.n_bytes = 4; }), "pattern 0: ");
  check_bad(with_pattern([](auto& p) { p.n_bytes = 0x7FFFFFFF; }), "pattern 0: bytes [");
}

TEST_CASE("snapshot: full tables, in which no look-up would end", "[tokenizer][snapshot]") {
  const Bytes good = write_snapshot(test::small_tokenizer()).value();
  const SnapshotHeader header = header_of(good);
  const SnapshotLayout layout(header);
  const auto fill = [&](auto slot, std::uint64_t offset, std::uint32_t n, const auto& is_used) {
    Bytes bytes = good;
    const std::size_t used = first_used<decltype(slot)>(good, offset, is_used);
    std::memcpy(&slot, good.data() + offset + used * sizeof slot, sizeof slot);
    for (std::uint32_t i = 0; i < n; ++i) {
      decltype(slot) old;
      std::memcpy(&old, bytes.data() + offset + i * sizeof old, sizeof old);
      if (!is_used(old)) std::memcpy(bytes.data() + offset + i * sizeof slot, &slot, sizeof slot);
    }
    return bytes;
  };
  check_bad(fill(VocabularySlot(), layout.vocabulary_slots, header.n_vocabulary_slots,
                 [](const auto& slot) { return slot.id >= 0; }),
            "no vocabulary slot is empty");
  check_bad(fill(MergeSlot(), layout.merge_slots, header.n_merge_slots,
                 [](const auto& slot) { return slot.key != MergeSlot::kEmpty; }),
            "no merge slot is empty");
}

TEST_CASE("snapshot: a truncated one is refused at every length", "[tokenizer][snapshot]") {
  const Bytes good = write_snapshot(made_tokenizer()).value();
  for (std::size_t n = 0; n < good.size(); ++n) {
    const Bytes bytes(good.begin(),
                      good.begin() + static_cast<std::ptrdiff_t>(n));  // exact, for the sanitizer
    const auto result = read(bytes);
    CAPTURE(n);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code == ErrorCode::bad_tokenizer);
  }
  Bytes longer = good;
  longer.resize(good.size() + 16);
  check_bad(longer, "the header says");
}
