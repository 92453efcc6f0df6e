// SPDX-License-Identifier: Apache-2.0
#include "guard/loaded/prefix_cache.hpp"

#include <atomic>
#include <numeric>
#include <thread>
#include <vector>

#include "model/checkpoint/open_checkpoint.hpp"
#include "model/config.hpp"
#include "q3g_catch.hpp"
#include "tiny_models.hpp"

using namespace qwen3guard;
using detail::KeptPrefix;
using detail::KvCache;
using detail::PrefixCache;

namespace {

detail::ModelConfig tiny_config() { return detail::open_checkpoint(test::tiny("gen")).value()->config(); }

/// `n` tokens that begin with `first`.
std::vector<TokenId> sequence(TokenId first, std::size_t n) {
  std::vector<TokenId> ids(n);
  std::iota(ids.begin(), ids.end(), first);
  return ids;
}

KvCache cache_of(const detail::ModelConfig& config, std::size_t n_tokens) {
  KvCache cache(config, 4096);
  cache.prepare(n_tokens);
  cache.advance(n_tokens);
  return cache;
}

KeptPrefix prefix_of(const detail::ModelConfig& config, std::size_t n_tokens) {
  return {sequence(0, n_tokens), cache_of(config, n_tokens)};
}

/// What a call of `ids` finds.
PrefixCache::Shared call(PrefixCache& prefixes, const detail::ModelConfig& config,
                         const std::vector<TokenId>& ids) {
  KvCache cache(config, 4096);
  auto shared = prefixes
                    .share_pinned(
                        Role::user, ids, [&] { return Result<KeptPrefix>(prefix_of(config, 100)); }, cache)
                    .value();
  CHECK(cache.n_tokens() == shared.n_tokens);
  prefixes.share_kept(ids, ids.size() + 10, cache, shared);
  CHECK(cache.n_tokens() == shared.n_tokens);
  return shared;
}

}  // namespace

TEST_CASE("prefix cache: what is pinned is computed once and shared by all", "[prefix]") {
  const auto config = tiny_config();
  PrefixCache prefixes(0);
  const std::vector<TokenId> ids = sequence(0, 120);
  KvCache cache(config, 4096);
  const auto failing = prefixes.share_pinned(
      Role::user, ids,
      [] {
        return Result<KeptPrefix>(Error{ErrorCode::cancelled, "stopped"});
      },
      cache);
  REQUIRE_FALSE(failing.ok());
  CHECK(cache.n_tokens() == 0);

  std::atomic<int> n_computed{0}, n_new{0}, n_bad{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      KvCache mine(config, 4096);
      const auto shared = prefixes.share_pinned(
          Role::user, ids,
          [&] {
            ++n_computed;
            return Result<KeptPrefix>(prefix_of(config, 100));
          },
          mine);
      if (!shared.ok() || shared->n_tokens != 100 || mine.n_tokens() != 100) ++n_bad;
      if (shared.ok() && shared->n_cached == 0) ++n_new;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(n_computed == 1);
  CHECK(n_new == 1);
  CHECK(n_bad == 0);

  // One token is left over, whose logits a verdict needs; another prompt shares what it has in common.
  CHECK(call(prefixes, config, sequence(0, 100)).n_tokens == 99);
  CHECK(call(prefixes, config, sequence(0, 1)).n_tokens == 0);
  CHECK(call(prefixes, config, sequence(7, 100)).n_tokens == 0);
  // The other role has a prompt of its own.
  prefixes.pin(Role::assistant, prefix_of(config, 30));
  KvCache other(config, 4096);
  const auto shared = prefixes.share_pinned(
      Role::assistant, ids,
      [] {
        return Result<KeptPrefix>(Error{ErrorCode::internal, "computed"});
      },
      other);
  CHECK(shared.value().n_tokens == 30);
  CHECK(shared.value().n_cached == 30);
}

TEST_CASE("prefix cache: a conversation is kept when it saves 64 tokens and as long as it fits", "[prefix]") {
  const auto config = tiny_config();
  PrefixCache prefixes(700);
  const auto talk = [&](std::size_t n_own, TokenId first, std::size_t n_more = 0) {
    std::vector<TokenId> ids = sequence(0, 100);
    for (const TokenId id : sequence(first, n_own + n_more)) ids.push_back(id);
    return ids;
  };
  const auto keep = [&](const std::vector<TokenId>& ids) {
    prefixes.keep(Role::user, ids, cache_of(config, ids.size()));
  };
  CHECK(call(prefixes, config, talk(63, 1000)).n_cached == 0);  // the first call computes what is pinned
  keep(talk(63, 1000));                                         // too little beyond it
  CHECK(call(prefixes, config, talk(63, 1000, 50)).n_cached == 100);
  keep(talk(64, 1000));
  CHECK(call(prefixes, config, talk(64, 1000, 50)).n_cached == 164);
  CHECK(call(prefixes, config, talk(63, 1000)).n_cached == 100);  // 63 tokens in common are not enough
  CHECK(call(prefixes, config, talk(64, 2000, 50)).n_cached == 100);

  // Room for one more but not for two: the one that was not used last goes.
  keep(talk(150, 2000));
  CHECK(call(prefixes, config, talk(64, 1000, 2)).n_cached == 164);
  keep(talk(250, 3000));
  CHECK(call(prefixes, config, talk(150, 2000, 2)).n_cached == 100);
  // A call that needs nearly all of the budget leaves nothing, and runs.
  CHECK(call(prefixes, config, talk(580, 4000)).n_cached == 100);
  CHECK(call(prefixes, config, talk(250, 3000, 2)).n_cached == 100);
  // More than the budget is not kept.
  keep(talk(601, 5000));
  CHECK(call(prefixes, config, talk(601, 5000, 2)).n_cached == 100);

  PrefixCache none(0);
  CHECK(call(none, config, talk(64, 1000)).n_cached == 0);
  none.keep(Role::user, talk(64, 1000), cache_of(config, 164));
  CHECK(call(none, config, talk(64, 1000, 2)).n_cached == 100);
}
