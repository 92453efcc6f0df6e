// SPDX-License-Identifier: Apache-2.0
#include "evaluation/bootstrap.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace qwen3guard::evaluation {
namespace {

/// SplitMix64 (Steele, Lea and Flood 2014): the same numbers on every platform, which the standard library's
/// distributions do not promise.
class Draws {
 public:
  explicit Draws(std::uint64_t seed) noexcept : state_(seed) {}

  /// In [0, n).
  std::size_t below(std::size_t n) noexcept {
    constexpr unsigned kHalf = 32;
    return static_cast<std::size_t>(((next() >> kHalf) * static_cast<std::uint64_t>(n)) >> kHalf);
  }

 private:
  std::uint64_t next() noexcept {
    state_ += 0x9E3779B97F4A7C15U;
    std::uint64_t z = state_;
    z = (z ^ (z >> 30U)) * 0xBF58476D1CE4E5B9U;
    z = (z ^ (z >> 27U)) * 0x94D049BB133111EBU;
    return z ^ (z >> 31U);
  }

  std::uint64_t state_;
};

/// Linear between neighbours, as numpy.percentile has it. fma: compilers differ in whether they make one of
/// it.
double quantile(const std::vector<double>& sorted, double q) {
  const double place = q * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return std::fma(place - static_cast<double>(below), sorted[above] - sorted[below], sorted[below]);
}

}  // namespace

std::optional<Interval> bootstrap_interval(std::size_t n_rows, const BootstrapOptions& options,
                                           const Statistic& statistic) {
  if (n_rows == 0 || options.n_resamples <= 0) return std::nullopt;
  Draws draws(options.seed);
  std::vector<std::uint32_t> weights(n_rows);
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(options.n_resamples));
  for (std::int32_t i = 0; i < options.n_resamples; ++i) {
    std::fill(weights.begin(), weights.end(), 0);
    for (std::size_t k = 0; k < n_rows; ++k) ++weights[draws.below(n_rows)];
    if (const auto value = statistic(weights)) values.push_back(*value);
  }
  if (2 * values.size() <= static_cast<std::size_t>(options.n_resamples)) return std::nullopt;
  std::sort(values.begin(), values.end());
  constexpr double kTail = 0.025;
  return Interval{quantile(values, kTail), quantile(values, 1 - kTail)};
}

}  // namespace qwen3guard::evaluation
