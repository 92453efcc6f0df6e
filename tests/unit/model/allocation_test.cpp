// SPDX-License-Identifier: Apache-2.0
// Counts and refuses allocations by replacing operator new; in an executable of its own for that reason.
#include <atomic>
#include <cstdlib>
#include <new>

#include "golden_models.hpp"

namespace {

std::atomic<long> n_allocations{0};
std::atomic<long> n_left{-1};  // allocations that still succeed; negative: all

void* allocate(std::size_t n_bytes, std::size_t alignment) {
  n_allocations.fetch_add(1);
  if (n_left.load() >= 0 && n_left.fetch_sub(1) <= 0) {
    n_left.store(0);
    throw std::bad_alloc();
  }
  void* memory = nullptr;
  if (posix_memalign(&memory, alignment < sizeof(void*) ? sizeof(void*) : alignment,
                     n_bytes == 0 ? 1 : n_bytes) != 0)
    throw std::bad_alloc();
  return memory;
}

}  // namespace

void* operator new(std::size_t n) { return allocate(n, alignof(std::max_align_t)); }
void* operator new(std::size_t n, std::align_val_t a) { return allocate(n, static_cast<std::size_t>(a)); }
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace q3g_test;

TEST_CASE("allocation: decoding token by token allocates a page of the cache now and then",
          "[model][allocation]") {
  for (const std::string& name : golden_names()) {
    const auto model = load_golden(name, {.n_threads = 2, .isa = ""});
    KvCache cache(model->config(), 300);
    Workspace workspace;
    const std::size_t width = model->config().hidden_size;
    std::vector<float> hidden(width), vocab(static_cast<std::size_t>(model->config().vocab_size)), risk(3),
        category(9);
    const auto step = [&](TokenId id) {
      if (!model->forward({&id, 1}, cache, workspace, {hidden.data(), 1, width}, nullptr).ok()) return false;
      const Span2d<const float> row(hidden.data(), 1, width);
      if (model->config().architecture == Architecture::causal_lm) {
        model->lm_logits(row, {vocab.data(), 1, vocab.size()}, workspace);
      } else {
        for (const HeadRole role : {HeadRole::response, HeadRole::query})
          model->guard_heads(role, row, {risk.data(), 1, 3},
                             {category.data(), 1, model->config().labels(role).category.size()}, workspace);
      }
      return true;
    };
    REQUIRE(step(1));
    const long before = n_allocations.load();
    bool good = true;
    for (TokenId i = 0; i < 280; ++i) good = step(i % 60) && good;
    const long after = n_allocations.load();
    INFO(name);
    CHECK(good);
    // Token 0 has made the first page. A further one is an object, its memory and a place in a list, which
    // may have to grow, as may the list of spare pages.
    constexpr long kPerPage = 4, kPages = 280 / static_cast<long>(kKvPageTokens);
    CHECK(after - before <= kPages * kPerPage);
  }
}

TEST_CASE("allocation: a failing one leaves the cache as it was", "[model][allocation]") {
  const auto model = load_golden("gen_gqa2_bf16", {.n_threads = 2, .isa = ""});
  KvCache cache(model->config(), 64);
  const std::vector<TokenId> ids = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  {
    Workspace workspace;
    REQUIRE(model->forward(ids, cache, workspace, {}, nullptr).ok());
  }
  int n_failures = 0;
  bool finished = false;
  for (long n = 0; n < 100 && !finished; ++n) {
    Workspace workspace;
    n_left.store(n);
    bool threw = false;
    try {
      finished = model->forward(ids, cache, workspace, {}, nullptr).ok();
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    n_left.store(-1);
    n_failures += threw ? 1 : 0;
    CHECK(cache.n_tokens() == (finished ? 20 : 10));
  }
  CHECK(finished);
  CHECK(n_failures >= 10);
}

TEST_CASE("allocation: a cache that cannot be had", "[model][allocation]") {
  ModelConfig config = load_golden("gen_gqa2_bf16")->config();
  config.n_layers = 1 << 10;
  config.n_kv_heads = 1 << 12;
  config.head_dim = 1 << 10;
  KvCache cache(config, 1 << 30);
  CHECK_THROWS_AS(cache.prepare(1), std::bad_alloc);
  config.n_layers = config.n_kv_heads = config.head_dim = 1 << 30;
  KvCache larger(config, 1 << 30);
  CHECK_THROWS_AS(larger.prepare(1), std::bad_alloc);
  CHECK(larger.n_tokens() == 0);
}
