// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/snapshot.hpp"

#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

namespace {

constexpr std::uint64_t kSeed = 20251;

Tokenizer from(const std::vector<std::byte>& bytes) {
  return detail::read_snapshot(bytes, nullptr, "snapshot").value();
}

/// Both tokenizers agree on every id, on random texts, and on looking tokens up.
void check_same(const Tokenizer& a, const Tokenizer& b, int n_texts) {
  REQUIRE(a.vocab_size() == b.vocab_size());
  bool same = true;
  for (TokenId id = 0; id < a.vocab_size(); ++id) {
    const auto bytes = a.token_bytes(id);
    same = same && bytes == b.token_bytes(id);
    if (bytes) same = same && a.find_bytes(*bytes) == b.find_bytes(*bytes);
  }
  CHECK(same);
  INFO("seed " << kSeed);
  test::RandomText random(kSeed);
  for (int i = 0; i < n_texts; ++i) {
    const std::string text = random.next() + (i % 3 == 0 ? "<|im_end|>x" : "");
    for (const SpecialTokens mode : {SpecialTokens::as_text, SpecialTokens::recognized}) {
      const auto ids = a.encode(text, mode).value();
      if (ids != b.encode(text, mode).value()) {
        CAPTURE(text);
        FAIL_CHECK("ids differ");
      }
      same = same && a.decode(ids).value() == b.decode(ids).value();
    }
  }
  CHECK(same);
  for (const char* added : {"<|im_start|>", "<|endoftext|>", "<none>"})
    CHECK(a.find_added(added) == b.find_added(added));
}

}  // namespace

TEST_CASE("snapshot: the same tokenizer", "[tokenizer][snapshot]") {
  const Tokenizer small = test::small_tokenizer();
  const auto bytes = detail::write_snapshot(small).value();
  check_same(small, from(bytes), 2000);
  // A snapshot of what was read from a snapshot is the same bytes.
  CHECK(detail::write_snapshot(from(bytes)).value() == bytes);
}

TEST_CASE("snapshot: the published vocabulary", "[tokenizer][snapshot]") {
  if (test::qwen3_path().empty()) Q3G_SKIP(test::kNoQwen3);
  const Tokenizer published = Tokenizer::load(test::qwen3_path()).value();
  check_same(published, from(detail::write_snapshot(published).value()), 3000);
}

TEST_CASE("snapshot: the owner lives as long as the tokenizer, wherever the bytes are",
          "[tokenizer][snapshot]") {
  const auto bytes = detail::write_snapshot(test::small_tokenizer()).value();
  const auto expected = test::small_tokenizer().encode("Hello there").value();
  for (std::size_t shift = 0; shift < 9; ++shift) {
    auto moved = std::make_shared<std::vector<std::byte>>(bytes.size() + shift);
    std::memcpy(moved->data() + shift, bytes.data(), bytes.size());
    const std::weak_ptr<const void> alive = moved;
    const std::span<const std::byte> view(moved->data() + shift, bytes.size());
    const Tokenizer tokenizer = detail::read_snapshot(view, std::move(moved), "snapshot").value();
    const Tokenizer copy = tokenizer;  // NOLINT(performance-unnecessary-copy-initialization)
    if (shift % 8 == 0) CHECK_FALSE(alive.expired());
    CHECK(copy.encode("Hello there").value() == expected);
  }
}

TEST_CASE("snapshot: cut short, it is an error", "[tokenizer][snapshot][malformed]") {
  const auto bytes = detail::write_snapshot(test::small_tokenizer()).value();
  std::vector<std::size_t> lengths;
  for (std::size_t n = 0; n < 200; ++n) lengths.push_back(n);
  for (std::size_t n = 200; n < bytes.size(); n += 997) lengths.push_back(n);
  lengths.push_back(bytes.size() - 1);
  for (const std::size_t n : lengths) {
    const auto result = detail::read_snapshot(std::span(bytes).first(n), nullptr, "cut.snapshot");
    INFO(n);
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().code == ErrorCode::bad_tokenizer);
    CHECK(result.error().detail.find("cut.snapshot: ") == 0);
  }
  auto longer = bytes;
  longer.push_back(std::byte{0});
  CHECK_FALSE(detail::read_snapshot(longer, nullptr, "x").ok());
}

TEST_CASE("snapshot: damaged bytes are an error, or a tokenizer that works",
          "[tokenizer][snapshot][malformed]") {
  INFO("seed " << kSeed);
  std::mt19937_64 engine(kSeed);
  const auto bytes = detail::write_snapshot(test::small_tokenizer()).value();
  int n_errors = 0, n_loaded = 0;
  for (int i = 0; i < 4000; ++i) {
    auto damaged = bytes;
    const int n_changes = 1 + static_cast<int>(engine() % 3);
    for (int c = 0; c < n_changes; ++c) {
      const std::size_t at = i % 4 == 0 ? engine() % 128 : engine() % damaged.size();
      damaged[at] = i % 2 == 0 ? static_cast<std::byte>(engine())
                               : damaged[at] ^ static_cast<std::byte>(1U << engine() % 8);
    }
    const auto tokenizer = detail::read_snapshot(damaged, nullptr, "damaged");
    if (!tokenizer.ok()) {
      ++n_errors;
      CHECK((tokenizer.error().code == ErrorCode::bad_tokenizer ||
             tokenizer.error().code == ErrorCode::unsupported_model));
      continue;
    }
    ++n_loaded;
    for (const char* text : {"Hello there, how are you?", "<|im_end|> 12345 \xE4\xBD\xA0\xE5\xA5\xBD", ""}) {
      const auto ids = tokenizer->encode(text, SpecialTokens::recognized);
      if (ids.ok()) (void)tokenizer->decode(*ids).ok();
    }
  }
  CHECK(n_errors > 500);
  CHECK(n_loaded > 100);
}
