// SPDX-License-Identifier: Apache-2.0
#include "model/kv_cache.hpp"

#include <vector>

#include "kernels/isa.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard::detail;

namespace {

ModelConfig small_config() {
  ModelConfig config;
  config.n_layers = 1;
  config.n_kv_heads = 1;
  config.n_heads = 1;
  config.head_dim = 4;
  return config;
}

/// Appends n tokens whose key and value are filled with `mark`.
void append(KvCache& cache, std::size_t n, float mark) {
  const std::vector<float> row(4, mark);
  cache.prepare(n);
  for (std::size_t i = 0; i < n; ++i)
    cache.store(0, 0, cache.n_tokens() + i, row.data(), row.data(), *select_kernels("scalar").value());
  cache.advance(n);
}

/// The mark of every token.
std::vector<float> marks(const KvCache& cache) {
  std::vector<float> out;
  for (const KvCache::Segment& segment : cache.segments()) {
    const auto* keys = reinterpret_cast<const float*>(segment.page->key_block(cache.layout(), 0, 0));
    for (std::size_t i = 0; i < segment.capacity && segment.begin + i < cache.n_tokens(); ++i)
      out.push_back(keys[4 * i]);
  }
  return out;
}

std::vector<float> repeated(std::vector<std::pair<int, float>> runs) {
  std::vector<float> out;
  for (const auto& [n, mark] : runs) out.insert(out.end(), static_cast<std::size_t>(n), mark);
  return out;
}

}  // namespace

TEST_CASE("cache: copies share what they have and go on on their own", "[cache]") {
  KvCache a(small_config(), 1000);
  append(a, 100, 1);
  KvCache b = a;
  CHECK(b.segments()[0].page->bytes() == a.segments()[0].page->bytes());
  append(a, 50, 2);
  append(b, 70, 3);
  CHECK(marks(a) == repeated({{100, 1.0F}, {50, 2.0F}}));
  CHECK(marks(b) == repeated({{100, 1.0F}, {70, 3.0F}}));
  CHECK(b.segments()[0].page->bytes() == a.segments()[0].page->bytes());
}

TEST_CASE("cache: a page that was prepared for nothing, and is shared, is not written", "[cache]") {
  KvCache a(small_config(), 1000);
  append(a, 64, 1);
  a.prepare(10);  // and the tokens did not come
  KvCache b = a;
  append(b, 70, 2);
  append(a, 5, 3);
  CHECK(marks(a) == repeated({{64, 1.0F}, {5, 3.0F}}));
  CHECK(marks(b) == repeated({{64, 1.0F}, {70, 2.0F}}));
}

TEST_CASE("cache: pages kept in reserve are not copied along", "[cache]") {
  KvCache a(small_config(), 1000);
  append(a, 200, 1);
  a.truncate(10);  // three pages are kept
  CHECK(a.memory_bytes() == 4 * a.layout().page_bytes());
  KvCache b = a, c(small_config(), 1000);
  c = a;
  CHECK(b.memory_bytes() == a.layout().page_bytes());
  append(a, 100, 2);
  append(b, 100, 3);
  append(c, 100, 4);
  CHECK(marks(a) == repeated({{10, 1.0F}, {100, 2.0F}}));
  CHECK(marks(b) == repeated({{10, 1.0F}, {100, 3.0F}}));
  CHECK(marks(c) == repeated({{10, 1.0F}, {100, 4.0F}}));
}

TEST_CASE("cache: little in a shared page is copied, much is left", "[cache]") {
  KvCache a(small_config(), 1000);
  append(a, 64 + 20, 1);
  KvCache b = a;
  append(b, 1, 2);
  CHECK(b.segments().size() == 2);  // 20 were copied
  CHECK(b.segments()[1].capacity == 64);
  CHECK(marks(b) == repeated({{84, 1.0F}, {1, 2.0F}}));
  append(a, 30, 3);  // nobody else has its last page now
  CHECK(marks(a) == repeated({{84, 1.0F}, {30, 3.0F}}));
  KvCache c = a;
  append(c, 1, 4);
  CHECK(c.segments().size() == 3);  // 50 stay where they are
  CHECK(c.segments()[1].capacity == 50);
  CHECK(marks(c) == repeated({{84, 1.0F}, {30, 3.0F}, {1, 4.0F}}));
}

TEST_CASE("cache: a page that is nobody else's any more is written on", "[cache]") {
  KvCache a(small_config(), 1000);
  append(a, 40, 1);
  {
    KvCache b = a;
    append(b, 24, 2);
    CHECK(b.segments().size() == 2);
  }
  const std::byte* page = a.segments()[0].page->bytes();
  append(a, 10, 3);
  CHECK(a.segments().size() == 1);
  CHECK(a.segments()[0].page->bytes() == page);
  CHECK(marks(a) == repeated({{40, 1.0F}, {10, 3.0F}}));
  KvCache moved = std::move(a);
  CHECK(marks(moved) == repeated({{40, 1.0F}, {10, 3.0F}}));
}
