// SPDX-License-Identifier: Apache-2.0
#include <cstring>
#include <numeric>
#include <random>

#include "golden_models.hpp"
#include "kernels/isa.hpp"

using namespace q3g_test;

namespace {

constexpr std::uint64_t kSeed = 77;

std::vector<TokenId> random_ids(const Model& model, std::size_t n, std::mt19937_64& random) {
  std::vector<TokenId> ids(n);
  for (TokenId& id : ids)
    id = static_cast<TokenId>(random() % static_cast<std::uint64_t>(model.config().vocab_size));
  return ids;
}

std::vector<std::size_t> random_cuts(std::size_t n, std::mt19937_64& random) {
  std::vector<std::size_t> pieces;
  for (std::size_t left = n; left > 0; left -= pieces.back()) {
    const std::size_t most = random() % 3 == 0 ? 8 : 300;
    pieces.push_back(std::min<std::size_t>(left, 1 + random() % most));
  }
  return pieces;
}

KvCache new_cache(const Model& model, std::size_t n) { return {model.config(), n}; }

}  // namespace

TEST_CASE("forward: whole, in random pieces and token by token agree", "[model][property]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  for (const std::string& isa : available_isas()) {
    for (const std::string& name : golden_names()) {
      const auto model = load_golden(name, {.n_threads = 2, .isa = isa});
      // Longer than a chunk of tokens and than a block of keys.
      const auto ids = random_ids(*model, 270 + random() % 150, random);
      const Logits whole = run_whole(*model, ids);
      INFO(name << " " << isa << ", " << ids.size() << " tokens");
      for (int i = 0; i < 2; ++i) {
        KvCache cache = new_cache(*model, ids.size());
        CHECK(worst_difference(run_pieces(*model, ids, random_cuts(ids.size(), random), cache), whole) <
              kTolerance);
      }
      KvCache cache = new_cache(*model, ids.size() + 5);
      const std::vector<std::size_t> ones(ids.size(), 1);
      CHECK(worst_difference(run_pieces(*model, ids, ones, cache), whole) < kTolerance);
      CHECK(cache.n_tokens() == ids.size());
    }
  }
}

TEST_CASE("forward: the number of threads does not change a bit", "[model][property]") {
  std::mt19937_64 random(kSeed + 1);
  INFO("seed " << kSeed + 1);
  for (const std::string& isa : available_isas()) {
    for (const std::string& name : golden_names()) {
      const auto one = load_golden(name, {.n_threads = 1, .isa = isa});
      const auto ids = random_ids(*one, 420, random);
      const auto cuts = random_cuts(ids.size(), random);
      KvCache cache = new_cache(*one, ids.size());
      const Logits expected = run_pieces(*one, ids, cuts, cache);
      for (const std::int32_t n_threads : {2, 3}) {
        const auto several = load_golden(name, {.n_threads = n_threads, .isa = isa});
        KvCache other = new_cache(*several, ids.size());
        INFO(name << " " << isa << " " << n_threads);
        CHECK(run_pieces(*several, ids, cuts, other) == expected);
      }
    }
  }
}

TEST_CASE("forward: only the last positions asked for", "[model][property]") {
  std::mt19937_64 random(kSeed + 2);
  for (const std::string& name : golden_names()) {
    const auto model = load_golden(name);
    const auto ids = random_ids(*model, 523, random);
    const Logits whole = run_whole(*model, ids);
    for (const std::size_t wanted : {std::size_t{0}, std::size_t{1}, std::size_t{11}, std::size_t{280}}) {
      KvCache cache = new_cache(*model, ids.size() + 1);
      Workspace workspace;
      const std::size_t width = model->config().hidden_size;
      std::vector<float> hidden(wanted * width);
      REQUIRE(model->forward(ids, cache, workspace, {hidden.data(), wanted, width}, nullptr).ok());
      std::vector<std::int32_t> positions(wanted);
      std::iota(positions.begin(), positions.end(), static_cast<std::int32_t>(ids.size() - wanted));
      Logits ours;
      append_logits(*model, Span2d<const float>(hidden.data(), wanted, width), workspace, ours);
      INFO(name << ", last " << wanted);
      if (wanted > 0) CHECK(worst_difference(ours, at_positions(whole, positions)) < kTolerance);
      CHECK(cache.n_tokens() == ids.size());
    }
  }
}

TEST_CASE("kv cache: truncated and shared prefixes continue like fresh ones", "[model][property]") {
  std::mt19937_64 random(kSeed + 3);
  for (const std::string& name : golden_names()) {
    const auto model = load_golden(name);
    const auto ids = random_ids(*model, 90, random);
    KvCache cache = new_cache(*model, 100);
    const Logits fresh = run_pieces(*model, ids, {50, 40}, cache);
    const Logits tail = [&] {
      Logits rows;
      for (const auto& [head, all] : fresh) rows[head].assign(all.begin() + 50, all.end());
      return rows;
    }();
    const auto rest = std::span<const TokenId>(ids).subspan(50);
    INFO(name);

    KvCache copy = new_cache(*model, 140);
    copy.share_prefix(cache, 50);
    REQUIRE(copy.n_tokens() == 50);
    // The shared page ends after 50 tokens, so blocks of keys are cut differently: equal up to rounding.
    CHECK(worst_difference(run_pieces(*model, rest, {40}, copy), tail) < kTolerance);

    cache.truncate(50);
    const auto other = random_ids(*model, 30, random);
    (void)run_pieces(*model, other, {30}, cache);
    cache.truncate(50);
    CHECK(worst_difference(run_pieces(*model, rest, {40}, cache), tail) < kTolerance);
  }
}

TEST_CASE("forward: a flag that is up stops it, and the scratch memory forgets it", "[model]") {
  const auto model = load_golden("gen_gqa2_bf16");
  KvCache cache = new_cache(*model, 600);
  Workspace workspace;
  std::mt19937_64 random(kSeed);
  const std::vector<TokenId> ids = random_ids(*model, 300, random);  // more than a chunk
  std::vector<float> hidden(model->config().hidden_size);
  const Span2d<float> last(hidden.data(), 1, hidden.size());
  qwen3guard::CancelFlag flag;
  REQUIRE(model->forward(ids, cache, workspace, last, &flag).ok());
  const std::vector<float> expected = hidden;
  cache.truncate(10);
  flag.cancel();
  const auto stopped = model->forward(std::span(ids).subspan(10), cache, workspace, last, &flag);
  REQUIRE_FALSE(stopped.ok());
  CHECK(stopped.error().code == qwen3guard::ErrorCode::cancelled);
  CHECK(cache.n_tokens() == 10);
  cache.truncate(0);
  REQUIRE(model->forward(ids, cache, workspace, last, nullptr).ok());
  CHECK(hidden == expected);
}

TEST_CASE("forward: a refused call leaves the cache as it was", "[model]") {
  const auto model = load_golden("gen_gqa2_bf16");
  KvCache cache = new_cache(*model, 4);
  Workspace workspace;
  const std::vector<TokenId> good = {1, 2}, unknown = {1, 128}, negative = {-1}, many = {1, 2, 3};
  const std::size_t width = model->config().hidden_size;
  std::vector<float> hidden(4 * width);
  REQUIRE(model->forward(good, cache, workspace, {}, nullptr).ok());
  const auto code = [&](const std::vector<TokenId>& ids, Span2d<float> out) {
    const auto status = model->forward(ids, cache, workspace, out, nullptr);
    REQUIRE_FALSE(status.ok());
    CHECK(cache.n_tokens() == 2);
    return status.error();
  };
  const auto out_of_range = code(unknown, {});
  CHECK(out_of_range.code == qwen3guard::ErrorCode::token_out_of_range);
  CHECK(out_of_range.detail.find("128 at index 1") != std::string::npos);
  CHECK(code(negative, {}).code == qwen3guard::ErrorCode::token_out_of_range);
  CHECK(code(many, {}).code == qwen3guard::ErrorCode::context_full);
  CHECK(code(good, {hidden.data(), 3, width}).code == qwen3guard::ErrorCode::invalid_argument);
  CHECK(code(good, {hidden.data(), 1, width - 1}).code == qwen3guard::ErrorCode::invalid_argument);
  CHECK(model->forward({}, cache, workspace, {}, nullptr).ok());
  CHECK(model->forward(good, cache, workspace, {hidden.data(), 2, width}, nullptr).ok());
  CHECK(cache.n_tokens() == 4);
}
