// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_GUARD_GEN_SAMPLER_HPP
#define QWEN3GUARD_SRC_GUARD_GEN_SAMPLER_HPP

#include <cstdint>
#include <random>
#include <span>
#include <utility>
#include <vector>

#include "qwen3guard/options.hpp"
#include "qwen3guard/status.hpp"
#include "qwen3guard/tokenizer.hpp"

namespace qwen3guard::detail {

/// Errors: invalid_argument (a field out of range, with its name).
[[nodiscard]] Status check(const SamplingOptions& options);

/// Draws tokens from logits (SamplingOptions). Ties go to the lower id. Not thread-safe.
class Sampler {
 public:
  explicit Sampler(const SamplingOptions& options) : options_(options), random_(options.seed) {}

  /// logits: [n], finite, n >= 1. Throws std::bad_alloc.
  [[nodiscard]] TokenId sample(std::span<const float> logits);

 private:
  SamplingOptions options_;
  std::mt19937_64 random_;  // its numbers are the standard's; the distributions are not, so none is used
  std::vector<std::pair<float, TokenId>> heap_;
  std::vector<std::pair<double, TokenId>> chosen_;
};

}  // namespace qwen3guard::detail

#endif  // QWEN3GUARD_SRC_GUARD_GEN_SAMPLER_HPP
