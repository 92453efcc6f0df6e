// SPDX-License-Identifier: Apache-2.0
#include "evaluation/reliability.hpp"

#include <algorithm>
#include <cmath>

namespace qwen3guard::evaluation {

std::optional<Reliability> reliability(std::span<const ScoredRow> rows) {
  if (rows.empty()) return std::nullopt;
  Reliability out;
  constexpr std::size_t kBinCount = std::tuple_size_v<decltype(out.bins)>;
  constexpr auto kBins = static_cast<float>(kBinCount);
  std::array<double, kBinCount> score_sums{}, positives{};
  for (const ScoredRow& row : rows) {
    const auto score = static_cast<double>(row.score);
    // In float, so that the float nearest to 0.7 is in the bin that begins at 0.7.
    const auto bin = std::min(static_cast<std::size_t>(row.score * kBins), out.bins.size() - 1);
    ++out.bins[bin].n;
    score_sums[bin] += score;
    positives[bin] += row.is_positive ? 1 : 0;
    const double error = score - (row.is_positive ? 1 : 0);
    out.brier += error * error;
  }
  out.n = static_cast<std::int64_t>(rows.size());
  out.brier /= static_cast<double>(rows.size());
  for (std::size_t i = 0; i < out.bins.size(); ++i) {
    ReliabilityBin& bin = out.bins[i];
    bin.low = static_cast<double>(i) / kBins;
    bin.high = static_cast<double>(i + 1) / kBins;
    if (bin.n == 0) continue;
    const auto n = static_cast<double>(bin.n);
    bin.mean_score = score_sums[i] / n;
    bin.positive_rate = positives[i] / n;
    out.ece += std::abs(score_sums[i] - positives[i]) / static_cast<double>(rows.size());
  }
  return out;
}

}  // namespace qwen3guard::evaluation
