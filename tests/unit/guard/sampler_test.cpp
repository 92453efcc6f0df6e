// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/sampler.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "q3g_catch.hpp"

using namespace qwen3guard;
using detail::Sampler;

namespace {

SamplingOptions options_of(float temperature, std::int32_t top_k, float top_p, std::uint64_t seed = 1) {
  SamplingOptions options;
  options.temperature = temperature;
  options.top_k = top_k;
  options.top_p = top_p;
  options.seed = seed;
  return options;
}

/// The distribution by the definition, over all tokens in order.
std::vector<double> expected(const std::vector<float>& logits, const SamplingOptions& options) {
  std::vector<std::size_t> order(logits.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return logits[a] > logits[b]; });
  if (options.top_k > 0) order.resize(std::min(order.size(), static_cast<std::size_t>(options.top_k)));
  std::vector<double> p(logits.size(), 0.0);
  double sum = 0;
  for (const std::size_t i : order)
    sum += p[i] = std::exp(static_cast<double>(logits[i]) / static_cast<double>(options.temperature));
  for (const std::size_t i : order) p[i] /= sum;
  double kept = 0;
  for (const std::size_t i : order) {
    if (kept >= static_cast<double>(options.top_p)) p[i] = 0;
    kept += p[i];
  }
  kept = 0;
  for (const double v : p) kept += v;
  for (double& v : p) v /= kept;
  return p;
}

}  // namespace

TEST_CASE("sampler: draws have the defined frequencies", "[sampler]") {
  const std::vector<float> logits = {1.0F, 3.0F, -2.0F, 2.5F, 3.0F, 0.0F, 1.5F, -8.0F};
  for (const SamplingOptions& options :
       {options_of(1.0F, 0, 1.0F), options_of(0.7F, 4, 1.0F), options_of(1.3F, 0, 0.8F),
        options_of(2.0F, 5, 0.7F), options_of(0.5F, 100, 0.95F)}) {
    CAPTURE(options.temperature, options.top_k, options.top_p, options.seed);
    const auto p = expected(logits, options);
    Sampler sampler(options);
    constexpr int kDraws = 40000;
    std::vector<int> counts(logits.size(), 0);
    for (int i = 0; i < kDraws; ++i) ++counts[static_cast<std::size_t>(sampler.sample(logits))];
    for (std::size_t i = 0; i < p.size(); ++i) {
      CAPTURE(i, p[i], counts[i]);
      // Five standard deviations of a binomial count: one failure in some 10^6 seeds, and the seed is fixed.
      const double mean = kDraws * p[i], bound = 5 * std::sqrt(kDraws * p[i] * (1 - p[i]));
      if (p[i] == 0) {
        CHECK(counts[i] == 0);
      } else {
        CHECK(std::abs(counts[i] - mean) <= bound + 1e-9);
      }
    }
  }
}

TEST_CASE("sampler: the most probable token, ties to the lower id", "[sampler]") {
  const std::vector<float> logits = {1.0F, 3.0F, 2.0F, 3.0F};
  for (const SamplingOptions& options :
       {options_of(0, 20, 0.8F), options_of(1, 1, 1.0F), options_of(1, 0, 1e-6F), options_of(1, 3, 1e-6F)}) {
    Sampler sampler(options);
    for (int i = 0; i < 20; ++i) CHECK(sampler.sample(logits) == 1);
  }
  Sampler single(options_of(1, 5, 0.9F));
  CHECK(single.sample(std::vector<float>{-4.0F}) == 0);
}

TEST_CASE("sampler: a seed is the draw, on every platform", "[sampler]") {
  std::vector<float> logits(50);
  for (std::size_t i = 0; i < logits.size(); ++i) logits[i] = static_cast<float>(i % 7);
  Sampler a(options_of(1, 0, 1, 42)), b(options_of(1, 0, 1, 42)), c(options_of(1, 0, 1, 43));
  std::vector<TokenId> first, second, third;
  for (int i = 0; i < 20; ++i) {
    first.push_back(a.sample(logits));
    second.push_back(b.sample(logits));
    third.push_back(c.sample(logits));
  }
  CHECK(first == second);
  CHECK(first != third);
}

TEST_CASE("sampler: large logits and low temperatures do not overflow", "[sampler]") {
  Sampler sampler(options_of(1e-6F, 0, 1.0F));
  CHECK(sampler.sample(std::vector<float>{-3e38F, 3e38F, 0.0F}) == 1);
}

TEST_CASE("sampler: options out of range are named", "[sampler]") {
  const auto detail_of = [](const SamplingOptions& options) {
    const Status status = detail::check(options);
    return status.ok() ? std::string() : status.error().detail;
  };
  CHECK(detail_of({}).empty());
  CHECK(detail_of(options_of(-1, 0, 1)).find("temperature") != std::string::npos);
  CHECK(detail_of(options_of(std::numeric_limits<float>::infinity(), 0, 1)).find("temperature") !=
        std::string::npos);
  CHECK(detail_of(options_of(std::nanf(""), 0, 1)).find("temperature") != std::string::npos);
  CHECK(detail_of(options_of(1, -1, 1)).find("top_k") != std::string::npos);
  CHECK(detail_of(options_of(1, 0, 0)).find("top_p") != std::string::npos);
  CHECK(detail_of(options_of(1, 0, std::nanf(""))).find("top_p") != std::string::npos);
}
