// SPDX-License-Identifier: Apache-2.0
// One model from end to end: load time, memory, prefill, decoding after contexts of growing length, chunks of
// 1 to 64 tokens, batches of 1 to 64 conversations. One row of a Markdown table each; run.sh puts the tables
// together.
//   e2e_bench MODEL [THREADS]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/peak_memory.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "qwen3guard/qwen3guard.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

using Clock = std::chrono::steady_clock;

double ms_since(Clock::time_point start) {
  return std::chrono::duration<double, std::milli>(Clock::now() - start).count();
}

double peak_mb() { return static_cast<double>(qwen3guard::bench::peak_resident_bytes()) / 1e6; }

class Bench {
 public:
  explicit Bench(const Model& model) : model_(model), hidden_(model.config().hidden_size * 64) {}

  /// Best of some forwards of n tokens after `history` tokens, in ms.
  double forward(std::size_t n, std::size_t history, int repeats) {
    KvCache& cache = cache_with(history);
    double best = 1e30;
    for (int r = 0; r < repeats; ++r) {
      cache.truncate(history);
      const auto ids = tokens(n, r);
      const auto start = Clock::now();
      model_.forward(ids, cache, workspace_, rows(1), nullptr).throw_if_error();
      best = std::min(best, ms_since(start));
    }
    return best;
  }

  /// Best of some steps of one token in each of n conversations with 64 tokens of history.
  double batch(std::size_t n, int repeats) {
    std::vector<KvCache> caches(n, KvCache(model_.config(), 128, model_.kv_type()));
    const auto prompt = tokens(64, 1);
    for (KvCache& cache : caches) model_.forward(prompt, cache, workspace_, {}, nullptr).throw_if_error();
    const TokenId next = 77;
    double best = 1e30;
    for (int r = 0; r < repeats; ++r) {
      std::vector<ForwardPart> parts;
      for (KvCache& cache : caches) {
        cache.truncate(64);
        parts.push_back({{&next, 1}, &cache, 1});
      }
      const auto start = Clock::now();
      model_.forward_batch(parts, workspace_, rows(n), nullptr).throw_if_error();
      best = std::min(best, ms_since(start));
    }
    return best;
  }

 private:
  std::vector<TokenId> tokens(std::size_t n, int seed) const {
    std::vector<TokenId> ids(n);
    for (std::size_t i = 0; i < n; ++i)
      ids[i] = static_cast<TokenId>((i * 7919 + static_cast<std::size_t>(seed) * 104729) %
                                    static_cast<std::size_t>(model_.config().vocab_size));
    return ids;
  }
  Span2d<float> rows(std::size_t n) { return {hidden_.data(), n, model_.config().hidden_size}; }
  /// A cache that holds at least `history` tokens, computed once and extended.
  KvCache& cache_with(std::size_t history) {
    if (cache_.capacity_tokens() == 0) cache_ = KvCache(model_.config(), 40000, model_.kv_type());
    cache_.truncate(std::min(cache_.n_tokens(), history));
    if (cache_.n_tokens() < history) {
      const auto ids = tokens(history - cache_.n_tokens(), 3);
      model_.forward(ids, cache_, workspace_, {}, nullptr).throw_if_error();
    }
    return cache_;
  }

  const Model& model_;
  Workspace workspace_;
  KvCache cache_;
  std::vector<float> hidden_;
};

void run(const std::string& path, std::int32_t n_threads) {
  auto start = Clock::now();
  GuardOptions options;
  options.n_threads = n_threads;
  options.require_tokenizer = false;
  const Guard guard = Guard::load(path, options).value();
  const double load_ms = ms_since(start);
  const auto model = Model::load(*open_checkpoint(path).value(), {n_threads, ""}).value();
  const ModelInfo info = guard.info();
  std::printf("### %s\n\n", path.substr(path.find_last_of('/', path.size() - 2) + 1).c_str());
  std::printf("%s, %s, %d threads; loaded in %.0f ms\n\n| work | ms | tokens a second |\n|---|---|---|\n",
              info.weight_dtype.c_str(), info.isa.c_str(), info.n_threads, load_ms);
  const auto row = [](const std::string& name, double ms, double n_tokens) {
    std::printf("| %s | %.2f | %.0f |\n", name.c_str(), ms, 1000 * n_tokens / ms);
    std::fflush(stdout);
  };
  Bench bench(*model);
  for (const std::size_t n : {128UL, 512UL, 2048UL})
    row("prefill, " + std::to_string(n) + " tokens", bench.forward(n, 0, 3), static_cast<double>(n));
  std::printf("| peak memory after that | %.0f MB | |\n", peak_mb());
  for (const std::size_t n : {1UL, 2UL, 4UL, 8UL, 16UL, 32UL, 64UL})
    row("chunk of " + std::to_string(n) + " after 300", bench.forward(n, 300, 8), static_cast<double>(n));
  for (const std::size_t n : {1UL, 2UL, 4UL, 8UL, 16UL, 32UL, 64UL})
    row("batch of " + std::to_string(n) + " conversations, a token each", bench.batch(n, 5),
        static_cast<double>(n));
  const std::int32_t longest = info.kind == ModelKind::gen ? 32768 : 8192;
  for (const std::int32_t n : {64, 512, 2048, 8192, 32768}) {
    if (n < std::min(longest, info.max_context_tokens))
      row("one token after " + std::to_string(n), bench.forward(1, static_cast<std::size_t>(n), 5), 1);
  }
  std::printf("| peak memory at the end | %.0f MB | |\n\n", peak_mb());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2 || argc > 3) {
    std::fprintf(stderr, "usage: e2e_bench MODEL [THREADS]\n");
    return 2;
  }
  try {
    run(argv[1], argc > 2 ? std::atoi(argv[2]) : 0);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "e2e_bench: %s\n", e.what());
    return 1;
  }
  return 0;
}
