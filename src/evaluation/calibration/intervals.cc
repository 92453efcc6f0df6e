// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/intervals.hpp"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "evaluation/calibration/goal.hpp"

namespace qwen3guard::evaluation {

Bounds wilson_interval(std::int64_t k, std::int64_t n) noexcept {
  if (n == 0) return {0, 1};
  constexpr double z = 1.959963984540054;  // the normal distribution's 97.5th percentile
  const auto rows = static_cast<double>(n);
  const double share = static_cast<double>(k) / rows;
  const double scale = 1 + z * z / rows;
  const double middle = (share + z * z / (2 * rows)) / scale;
  const double half = z * std::sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / scale;
  return {k == 0 ? 0.0 : std::max(0.0, middle - half), k == n ? 1.0 : std::min(1.0, middle + half)};
}

std::optional<Bounds> f_beta_interval(const Counts& counts, double beta, std::int32_t n_resamples,
                                      std::uint64_t seed) {
  const auto n = static_cast<std::uint64_t>(counts.n());
  if (counts.tp + counts.fn == 0 || n_resamples <= 0) return std::nullopt;
  std::mt19937_64 random(seed);
  const auto tp = static_cast<std::uint64_t>(counts.tp), fn = static_cast<std::uint64_t>(counts.fn);
  const auto fp = static_cast<std::uint64_t>(counts.fp);
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(n_resamples));
  for (std::int32_t i = 0; i < n_resamples; ++i) {
    // F-beta depends on the rows only by how many of them fall into each cell.
    Counts drawn;
    for (std::uint64_t row = 0; row < n; ++row) {
      const std::uint64_t at = random() % n;
      ++(at < tp ? drawn.tp : at < tp + fn ? drawn.fn : at < tp + fn + fp ? drawn.fp : drawn.tn);
    }
    if (const auto value = f_beta(drawn, beta)) values.push_back(*value);
  }
  if (values.empty()) return std::nullopt;
  std::sort(values.begin(), values.end());
  const auto at = [&](double share) {
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
  };
  return Bounds{at(0.025), at(0.975)};
}

}  // namespace qwen3guard::evaluation
