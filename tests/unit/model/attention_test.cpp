// SPDX-License-Identifier: Apache-2.0
// Attention over caches of every type, on every instruction set of this machine, against sums in double over
// the unrounded keys and values.
#include "model/attention.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/isa.hpp"
#include "q3g_catch.hpp"
#include "random_data.hpp"
#include "util/aligned_buffer.hpp"

using namespace qwen3guard::detail;
using q3g_test::random_normal;

namespace {

constexpr std::uint64_t kAttentionSeed = 23;

ModelConfig attention_config(std::size_t head_dim) {
  ModelConfig config;
  config.n_layers = 1;
  config.n_heads = 4;
  config.n_kv_heads = 2;
  config.head_dim = head_dim;
  return config;
}

/// Queries [n_queries, heads * dim] at the end of n_keys tokens; keys and values [n_keys, kv heads * dim].
struct AttentionCase {
  ModelConfig config;
  std::size_t n_keys, n_queries;
  std::vector<float> q, keys, values;

  AttentionCase(std::size_t head_dim, std::size_t n_tokens, std::size_t n_last, std::mt19937_64& random)
      : config(attention_config(head_dim)), n_keys(n_tokens), n_queries(n_last) {
    const auto fill = [&](std::vector<float>& out, std::size_t n) {
      out.resize(n);
      for (float& v : out) v = random_normal(random);
    };
    fill(q, n_queries * config.n_heads * head_dim);
    fill(keys, n_keys * config.n_kv_heads * head_dim);
    fill(values, n_keys * config.n_kv_heads * head_dim);
  }

  std::vector<float> run(KvType type, const KernelTable& table) const {
    const std::size_t d = config.head_dim, n_kv = config.n_kv_heads;
    KvCache cache(config, n_keys, type);
    cache.prepare(n_keys);
    for (std::size_t t = 0; t < n_keys; ++t) {
      for (std::size_t head = 0; head < n_kv; ++head) {
        const std::size_t at = (t * n_kv + head) * d;
        cache.store(0, head, t, keys.data() + at, values.data() + at, table);
      }
    }
    cache.advance(n_keys);
    std::vector<float> out = q;
    AlignedBuffer<float> scratch(attention_scratch_floats(config, 1));
    AttentionPiece piece{{out.data(), n_queries, config.n_heads * d}, n_keys - n_queries, &cache};
    attention({&piece, 1}, 0, {config, table, Workers(), scratch.span()});
    return out;
  }

  std::vector<double> expected() const {
    const std::size_t d = config.head_dim, n_kv = config.n_kv_heads, group = config.n_heads / n_kv;
    std::vector<double> out(q.size());
    for (std::size_t i = 0; i < n_queries; ++i) {
      for (std::size_t head = 0; head < config.n_heads; ++head) {
        const std::size_t at = (i * config.n_heads + head) * d, seen = n_keys - n_queries + i + 1;
        std::vector<double> weights(seen);
        double mass = 0;
        for (std::size_t t = 0; t < seen; ++t) {
          double score = 0;
          for (std::size_t c = 0; c < d; ++c)
            score +=
                static_cast<double>(q[at + c]) * static_cast<double>(keys[(t * n_kv + head / group) * d + c]);
          mass += weights[t] = std::exp(score / std::sqrt(static_cast<double>(d)));
        }
        for (std::size_t t = 0; t < seen; ++t)
          for (std::size_t c = 0; c < d; ++c)
            out[at + c] += weights[t] / mass * static_cast<double>(values[(t * n_kv + head / group) * d + c]);
      }
    }
    return out;
  }
};

/// Root of the mean square difference over that of the expected numbers.
double relative_error(const std::vector<float>& found, const std::vector<double>& expected) {
  double difference = 0, square = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    difference += std::pow(static_cast<double>(found[i]) - expected[i], 2);
    square += expected[i] * expected[i];
  }
  return std::sqrt(difference / square);
}

}  // namespace

TEST_CASE("attention: keys and values of every type", "[model][attention]") {
  INFO("seed " << kAttentionSeed);
  std::mt19937_64 random(kAttentionSeed);
  for (const std::size_t head_dim : {10UL, 32UL, 40UL, 128UL}) {
    for (const auto& [n_keys, n_queries] : std::initializer_list<std::pair<std::size_t, std::size_t>>{
             {1, 1}, {7, 7}, {64, 1}, {65, 2}, {130, 33}, {301, 5}}) {
      const AttentionCase c(head_dim, n_keys, n_queries, random);
      const std::vector<double> expected = c.expected();
      for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
        for (const KvFormat& format : kKvFormats) {
          const double error = relative_error(c.run(format.type, *table), expected);
          INFO(table->name << " " << format.name << " dim " << head_dim << ", " << n_queries << " queries of "
                           << n_keys << " keys: error " << error);
          // A value's rounding shows in full where one key has all the weight; a key's and a query's move the
          // scores by as much relative to their own spread, which is near 1 here.
          CHECK(error < (format.type == KvType::f32 ? 1e-6 : format.type == KvType::f16 ? 0x1p-11 : 0x1p-7));
        }
      }
    }
  }
}

TEST_CASE("attention: what float16 cannot hold never passes for a number", "[model][attention]") {
  INFO("seed " << kAttentionSeed);
  std::mt19937_64 random(kAttentionSeed);
  const float infinity = std::numeric_limits<float>::infinity();
  for (const KernelTable* table : tables_for(features_of(read_cpuid()))) {
    for (const float large : {65520.0F, -65520.0F, 1e30F, -infinity}) {
      for (const bool is_key : {false, true}) {
        AttentionCase c(32, 70, 3, random);
        // Token 66 of the first key-value head, whose two heads read it from the first query on.
        (is_key ? c.keys : c.values)[66 * 64 + 5] = large;
        // Every score of the key is -infinity times something, +infinity or NaN; none of it may be left out.
        const std::vector<float> out = c.run(KvType::f16, *table);
        INFO(table->name << " " << (is_key ? "key " : "value ") << large);
        for (std::size_t i = 0; i < 3; ++i) {
          for (std::size_t head = 0; head < 2; ++head) {
            const float* row = out.data() + (i * 4 + head) * 32;
            CHECK_FALSE(std::all_of(row, row + 32, [](float v) { return std::isfinite(v); }));
          }
        }
        for (std::size_t i = 0; i < 3; ++i)
          CHECK(std::all_of(out.data() + (i * 4 + 2) * 32, out.data() + (i * 4 + 4) * 32,
                            [](float v) { return std::isfinite(v); }));
      }
    }
    // The largest there is.
    AttentionCase c(32, 70, 3, random);
    c.keys[66 * 64 + 5] = 65504.0F;
    c.values[66 * 64 + 6] = -65519.0F;
    const std::vector<float> out = c.run(KvType::f16, *table);
    CHECK(std::all_of(out.begin(), out.end(), [](float v) { return std::isfinite(v); }));
  }
}

TEST_CASE("attention: what a failed call left behind the end of a cache is not read", "[model][attention]") {
  INFO("seed " << kAttentionSeed);
  std::mt19937_64 random(kAttentionSeed);
  const AttentionCase c(40, 75, 1, random);
  const std::size_t width = c.config.n_kv_heads * c.config.head_dim;
  const std::vector<float> bad(c.config.head_dim, std::numeric_limits<float>::infinity());
  const KernelTable& table = *tables_for(features_of(read_cpuid())).front();
  const auto store = [&](KvCache& cache, std::size_t begin, std::size_t end, bool is_bad) {
    for (std::size_t t = begin; t < end; ++t) {
      for (std::size_t head = 0; head < c.config.n_kv_heads; ++head) {
        const std::size_t at = t * width + head * c.config.head_dim;
        cache.store(0, head, t, is_bad ? bad.data() : c.keys.data() + at,
                    is_bad ? bad.data() : c.values.data() + at, table);
      }
    }
  };
  for (const KvFormat& format : kKvFormats) {
    const std::vector<float> expected = c.run(format.type, table);
    // The bad tokens begin in the first page, or in the second; they were there for a while, or never became
    // part of the cache.
    for (const std::size_t n_good : {0UL, 5UL, 6UL, 33UL, 64UL, 69UL, 74UL}) {
      for (const bool was_advanced : {false, true}) {
        INFO(format.name << ", " << n_good << " good tokens, advanced " << was_advanced);
        KvCache cache(c.config, 300, format.type);
        cache.prepare(n_good);
        store(cache, 0, n_good, false);
        cache.advance(n_good);
        cache.prepare(200);
        store(cache, n_good, n_good + 200, true);
        if (was_advanced) {
          cache.advance(200);
          cache.truncate(n_good);
        }
        for (std::size_t t = n_good; t < c.n_keys; t += 10) {
          const std::size_t n = std::min(c.n_keys - t, std::size_t{10});
          cache.prepare(n);
          store(cache, t, t + n, false);
          cache.advance(n);
        }
        std::vector<float> out = c.q;
        AlignedBuffer<float> scratch(attention_scratch_floats(c.config, 1));
        AttentionPiece piece{{out.data(), 1, c.config.n_heads * c.config.head_dim}, c.n_keys - 1, &cache};
        attention({&piece, 1}, 0, {c.config, table, Workers(), scratch.span()});
        CHECK(out == expected);
      }
    }
  }
}
