// SPDX-License-Identifier: Apache-2.0
// Counts allocations by replacing operator new; in an executable of its own for that reason.
#include <atomic>
#include <cstdlib>
#include <new>

#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

namespace {

std::atomic<long> n_allocations{0};

}  // namespace

void* operator new(std::size_t n) {
  n_allocations.fetch_add(1);
  if (void* const memory = std::malloc(n == 0 ? 1 : n)) return memory;
  throw std::bad_alloc();
}
void* operator new(std::size_t n, const std::nothrow_t&) noexcept {
  n_allocations.fetch_add(1);
  return std::malloc(n == 0 ? 1 : n);
}
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, const std::nothrow_t&) noexcept { std::free(p); }

using namespace qwen3guard;

namespace {

/// Allocations of encoding n_words copies of `word` once more, into room that is there.
long allocations(const Tokenizer& tokenizer, std::string_view word, int n_words) {
  std::string text;
  for (int i = 0; i < n_words; ++i) text += word;
  std::vector<TokenId> ids;
  tokenizer.encode_to(text, SpecialTokens::as_text, ids).throw_if_error();
  const std::size_t n_ids = ids.size();
  ids.clear();
  const long before = n_allocations.load();
  tokenizer.encode_to(text, SpecialTokens::as_text, ids).throw_if_error();
  const long after = n_allocations.load();
  REQUIRE(ids.size() == n_ids);
  return after - before;
}

}  // namespace

TEST_CASE("allocation: encoding plain words allocates nothing", "[tokenizer][allocation]") {
  std::vector<Tokenizer> tokenizers = {test::small_tokenizer()};
  if (const std::string path = test::qwen3_path(); !path.empty())
    tokenizers.push_back(Tokenizer::load(path).value());
  for (const Tokenizer& tokenizer : tokenizers) {
    for (const std::string_view word :
         {" word", " xqzvkj", " \xC3\xA9t\xC3\xA9", "\xE4\xB8\xBA\xE4\xBB\x80\xEF\xBC\x8C", "\n\n  12,",
          " don't", "<think>", "<|im_end|>"}) {
      CAPTURE(word);
      CHECK(allocations(tokenizer, word, 10000) == 0);
    }
  }
}

TEST_CASE("allocation: what a text allocates does not grow with its words", "[tokenizer][allocation]") {
  const Tokenizer tokenizer = test::small_tokenizer();
  const std::string long_word = " " + std::string(100, 'x');
  // To be normalised; with marks to sort; with a token that cuts the text into sections; too long for the
  // stack.
  for (const std::string_view word :
       {std::string_view(" e\xCC\x81"), std::string_view(" e\xCC\x81\xCC\x96\xCC\x81"),
        std::string_view(" e\xCC\x81\xCC\x96<think>"), std::string_view(long_word)}) {
    CAPTURE(word);
    const long few = allocations(tokenizer, word, 1000), many = allocations(tokenizer, word, 10000);
    // Memory that doubles until it fits: ten times the words are at most four doublings of each of a handful
    // of arrays.
    CHECK(few < 40);
    CHECK(many <= few + 20);
  }
}
