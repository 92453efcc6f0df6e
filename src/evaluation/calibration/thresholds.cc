// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/thresholds.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace qwen3guard::evaluation {

std::optional<ThresholdChoice> choose_threshold(const Goal& goal, std::vector<ScoredRow> rows) {
  std::sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.score > b.score; });
  Counts counts;
  for (const ScoredRow& row : rows) counts.add(row.is_positive, false);
  if (counts.tp + counts.fn == 0 || counts.fp + counts.tn == 0) return std::nullopt;
  const auto take = [&](const ScoredRow& row) {
    ++(row.is_positive ? counts.tp : counts.fp);
    --(row.is_positive ? counts.fn : counts.tn);
  };

  std::size_t i = 0;
  for (; i < rows.size() && rows[i].score > 1; ++i) take(rows[i]);
  std::optional<ThresholdChoice> out;
  const auto offer = [&](float threshold) {
    if (!keeps_to_goal(goal, counts)) return;
    if (goal.target_fpr || !out ||
        f_beta(counts, goal.beta).value_or(0) > f_beta(out->counts, goal.beta).value_or(0))
      out = ThresholdChoice{threshold, counts};
  };
  // Above all of them, where there is room below 1.
  if (i < rows.size() && rows[i].score >= 0 && rows[i].score < 1) offer(std::nextafter(rows[i].score, 2.0F));
  while (i < rows.size() && rows[i].score >= 0) {
    const float threshold = rows[i].score;
    for (; i < rows.size() && rows[i].score == threshold; ++i) take(rows[i]);
    offer(threshold);
  }
  return out;
}

}  // namespace qwen3guard::evaluation
