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

std::int64_t allowed_alarms(double target_fpr, std::int64_t n_safe) noexcept {
  const auto n = static_cast<double>(n_safe);
  if (n < rows_to_show(target_fpr)) return 0;
  auto allowed = static_cast<std::int64_t>(std::floor(target_fpr * n));
  // The share decides, as whoever divides will see it, and not the rounded product.
  while (static_cast<double>(allowed + 1) / n <= target_fpr) ++allowed;
  while (allowed > 0 && static_cast<double>(allowed) / n > target_fpr) --allowed;
  return allowed;
}

bool is_better(const Goal& goal, const Counts& a, const Counts& b) noexcept {
  if (!goal.target_fpr) return f_beta(a, goal.beta).value_or(0) > f_beta(b, goal.beta).value_or(0);
  if (a.tp == b.tp) return a.fp < b.fp;
  return a.tp > b.tp && a.fp <= std::max(b.fp, allowed_alarms(*goal.target_fpr, a.fp + a.tn));
}

}  // namespace qwen3guard::evaluation
