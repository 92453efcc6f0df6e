// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/goal.hpp"

#include <algorithm>
#include <cmath>

namespace qwen3guard::evaluation {

std::optional<double> f_beta(const Counts& counts, double beta) noexcept {
  if (counts.tp + counts.fn == 0) return std::nullopt;
  const double square = beta * beta;
  const double hits = (1 + square) * static_cast<double>(counts.tp);
  return hits / (hits + square * static_cast<double>(counts.fn) + static_cast<double>(counts.fp));
}

double rows_to_show(double rate) noexcept { return 3.0 / rate; }

Goal goal_for(Goal goal, std::int64_t n_safe) noexcept {
  goal.no_alarms = goal.target_fpr && static_cast<double>(n_safe) < rows_to_show(*goal.target_fpr);
  return goal;
}

std::int64_t allowed_alarms(const Goal& goal, std::int64_t n_safe) noexcept {
  if (!goal.target_fpr) return n_safe;
  if (goal.no_alarms || n_safe == 0) return 0;
  const double target = *goal.target_fpr;
  const auto n = static_cast<double>(n_safe);
  auto allowed = static_cast<std::int64_t>(std::floor(target * n));
  // The share decides, as whoever divides will see it, and not the rounded product.
  while (static_cast<double>(allowed + 1) / n <= target) ++allowed;
  while (allowed > 0 && static_cast<double>(allowed) / n > target) --allowed;
  return allowed;
}

bool keeps_to_goal(const Goal& goal, const Counts& counts) noexcept {
  return counts.fp <= allowed_alarms(goal, counts.fp + counts.tn);
}

bool is_better(const Goal& goal, const Counts& a, const Counts& b) noexcept {
  if (!goal.target_fpr) return f_beta(a, goal.beta).value_or(0) > f_beta(b, goal.beta).value_or(0);
  if (a.tp == b.tp) return a.fp < b.fp;
  return a.tp > b.tp && a.fp <= std::max(b.fp, allowed_alarms(goal, a.fp + a.tn));
}

}  // namespace qwen3guard::evaluation
