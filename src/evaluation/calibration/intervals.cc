// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/intervals.hpp"

#include <cstddef>
#include <numeric>
#include <span>

#include "evaluation/calibration/goal.hpp"

namespace qwen3guard::evaluation {

std::optional<Interval> f_beta_interval(const Counts& counts, double beta, const BootstrapOptions& options) {
  if (counts.tp + counts.fn == 0) return std::nullopt;
  const auto statistic = [&](std::span<const std::uint32_t> weights) {
    // F-beta depends on rows only by how many fall into each cell; they stand here cell by cell.
    const auto take = [&](std::int64_t n_rows) {
      const auto cell = weights.first(static_cast<std::size_t>(n_rows));
      weights = weights.subspan(cell.size());
      return std::accumulate(cell.begin(), cell.end(), std::int64_t{0});
    };
    Counts drawn;
    drawn.tp = take(counts.tp);
    drawn.fp = take(counts.fp);
    drawn.fn = take(counts.fn);
    drawn.tn = take(counts.tn);
    return f_beta(drawn, beta);
  };
  return bootstrap_interval(static_cast<std::size_t>(counts.n()), options, statistic);
}

}  // namespace qwen3guard::evaluation
