// SPDX-License-Identifier: Apache-2.0
#include "evaluation/significance.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <numeric>
#include <utility>

namespace qwen3guard::evaluation {
namespace {

constexpr double kNormal95 = 1.959963984540054;

}  // namespace

void PairedCounts::add(bool in_a, bool in_b) noexcept {
  ++(in_a ? (in_b ? both : only_a) : (in_b ? only_b : neither));
}

double mcnemar_p(std::int64_t only_a, std::int64_t only_b) noexcept {
  const std::int64_t n = only_a + only_b, smaller = std::min(only_a, only_b);
  const std::int64_t centre = n / 2;
  // Binomial coefficients relative to the one in the middle, so that none overflows. The loop ends where one
  // adds nothing any more, before the numbers become denormal: those stay what they are however often they
  // are multiplied with nearly 1.
  constexpr double kNegligible = 1e-305;
  double term = 1, below = 0, tail = 0;
  for (std::int64_t i = centre; i >= 0 && term > kNegligible; --i) {
    below += term;
    if (i <= smaller) tail += term;
    term *= static_cast<double>(i) / static_cast<double>(n - i + 1);
  }
  // The other half mirrors this one; with an even number the middle belongs to both.
  const double all = n % 2 == 0 ? 2 * below - 1 : 2 * below;
  return std::min(1.0, 2 * tail / all);
}

double p_of_interval(double difference, const Interval& interval) noexcept {
  if (difference == 0) return 1;
  const double standard_error = (interval.high - interval.low) / (2 * kNormal95);
  return standard_error > 0 ? std::erfc(std::abs(difference) / standard_error / std::sqrt(2.0)) : 0;
}

std::vector<double> holm_adjusted(std::span<const double> p_values) {
  std::vector<std::size_t> order(p_values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t x, std::size_t y) {
    return std::pair(p_values[x], x) < std::pair(p_values[y], y);
  });
  std::vector<double> adjusted(p_values.size());
  double largest = 0;
  for (std::size_t i = 0; i < order.size(); ++i) {
    largest = std::max(largest, p_values[order[i]] * static_cast<double>(order.size() - i));
    adjusted[order[i]] = std::min(1.0, largest);
  }
  return adjusted;
}

ShareDifference share_difference(const PairedCounts& counts) noexcept {
  if (counts.n() == 0) return {0, {-1, 1}};
  const double only_a = static_cast<double>(counts.only_a), only_b = static_cast<double>(counts.only_b);
  const double n = static_cast<double>(counts.n()), adjusted_n = n + 2;
  const double share_a = (only_a + 1) / adjusted_n, share_b = (only_b + 1) / adjusted_n;
  const double centre = share_b - share_a;
  const double reach = kNormal95 * std::sqrt((share_a + share_b - centre * centre) / adjusted_n);
  return {(only_b - only_a) / n, {std::max(-1.0, centre - reach), std::min(1.0, centre + reach)}};
}

Interval wilson_interval(std::int64_t k, std::int64_t n) noexcept {
  if (n == 0) return {0, 1};
  constexpr double z = kNormal95;
  const auto rows = static_cast<double>(n);
  const double share = static_cast<double>(k) / rows;
  const double scale = 1 + z * z / rows;
  const double middle = (share + z * z / (2 * rows)) / scale;
  const double half = z * std::sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows)) / scale;
  return {k == 0 ? 0.0 : std::max(0.0, middle - half), k == n ? 1.0 : std::min(1.0, middle + half)};
}

}  // namespace qwen3guard::evaluation
