// SPDX-License-Identifier: Apache-2.0
#include "tokenizer/aligned_tokens.hpp"

#include "iterations.hpp"
#include "q3g_catch.hpp"
#include "tokenizer/tokenizer_impl.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using detail::ByteRange;

namespace {

struct Aligned {
  std::vector<TokenId> ids;
  std::vector<ByteRange> ranges;
};

Result<Aligned> encode(const Tokenizer& tokenizer, std::string_view text,
                       InvalidUtf8 invalid_utf8 = InvalidUtf8::reject,
                       SpecialTokens mode = SpecialTokens::as_text) {
  Aligned out;
  const Status status =
      encode_aligned(detail::TokenizerAccess::impl(tokenizer), text, mode, invalid_utf8, out.ids, out.ranges);
  if (!status.ok()) return status.error();
  return out;
}

}  // namespace

TEST_CASE("aligned tokens: ids of encode(), ranges in order and without gaps", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 9201;
  std::vector<Tokenizer> tokenizers = {test::small_tokenizer()};
  if (const std::string path = test::qwen3_path(); !path.empty())
    tokenizers.push_back(Tokenizer::load(path).value());
  for (const Tokenizer& tokenizer : tokenizers) {
    test::RandomText random(kSeed);
    for (int i = 0; i < q3g_test::iterations(2000); ++i) {
      std::string text = random.next();
      const bool is_broken = i % 3 == 0;
      if (is_broken) text.insert(random.below(text.size() + 1), "\xE2\x82");
      const SpecialTokens mode = i % 2 == 0 ? SpecialTokens::as_text : SpecialTokens::recognized;
      CAPTURE(kSeed, i, text);
      const Aligned aligned = encode(tokenizer, text, InvalidUtf8::replace, mode).value();
      REQUIRE(aligned.ids == tokenizer.encode(detail::replace_invalid_utf8(text), mode).value());
      REQUIRE(aligned.ranges.size() == aligned.ids.size());
      std::size_t begin = 0, end = 0;
      for (const ByteRange& range : aligned.ranges) {
        REQUIRE((range.begin >= begin && range.begin <= end));
        REQUIRE((range.end >= end && range.end > range.begin));
        begin = range.begin;
        end = range.end;
      }
      REQUIRE(end == text.size());
    }
  }
}

TEST_CASE("aligned tokens: a sequence that is rewritten is one range", "[tokenizer]") {
  const Tokenizer tokenizer = test::JsonParts().load().value();
  // a, then e with two marks in the wrong order, then b: bytes 1 to 6 are one sequence.
  const Aligned aligned = encode(tokenizer,
                                 "ae\xCC\x81\xCC\xA7"
                                 "b")
                              .value();
  REQUIRE(aligned.ids.size() == 6);
  CHECK(aligned.ranges.front() == ByteRange{0, 1});
  for (std::size_t i = 1; i < 5; ++i) CHECK(aligned.ranges[i] == ByteRange{1, 6});
  CHECK(aligned.ranges.back() == ByteRange{6, 7});
  // What is replaced is a character: three tokens of one byte each here.
  const Aligned replaced = encode(tokenizer,
                                  "a\xE2\x82"
                                  "b",
                                  InvalidUtf8::replace)
                               .value();
  REQUIRE(replaced.ids.size() == 5);
  CHECK(replaced.ranges[1] == ByteRange{1, 3});
  CHECK(replaced.ranges.back() == ByteRange{3, 4});
  // An added token.
  const Aligned added = encode(tokenizer, "a<t>").value();
  CHECK(added.ranges == std::vector<ByteRange>{{0, 1}, {1, 4}});
}

TEST_CASE("aligned tokens: errors leave what was there", "[tokenizer]") {
  const Tokenizer tokenizer = test::small_tokenizer();
  const detail::TokenizerImpl& impl = detail::TokenizerAccess::impl(tokenizer);
  std::vector<TokenId> ids = {7};
  std::vector<ByteRange> ranges = {{0, 1}};
  const auto code = [&](std::string_view text, InvalidUtf8 invalid_utf8, std::size_t max_ids) {
    const Status status =
        encode_aligned(impl, text, SpecialTokens::as_text, invalid_utf8, ids, ranges, max_ids);
    CHECK(ids == std::vector<TokenId>{7});
    CHECK(ranges == std::vector<ByteRange>{{0, 1}});
    return status.error().code;
  };
  CHECK(code("a\xFF", InvalidUtf8::reject, 100) == ErrorCode::invalid_utf8);
  CHECK(code("1 2 3 4 5", InvalidUtf8::reject, 5) == ErrorCode::context_full);
  CHECK(code("1 2 3 4 5\xFF", InvalidUtf8::replace, 5) == ErrorCode::context_full);
  CHECK(code(std::string(1 << 20, '\xFF'), InvalidUtf8::replace, 5) == ErrorCode::context_full);
}
