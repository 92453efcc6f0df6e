// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/category_thresholds.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <iterator>
#include <vector>

#include "evaluation/calibration/thresholds.hpp"

namespace qwen3guard::evaluation {
namespace {

/// Categories that share a threshold, and the rows for which it is the one that matters, by descending score.
struct Share {
  CategorySet categories = 0;
  std::vector<ScoredRow> rows;
};

/// All that a row's verdicts name.
CategorySet named_by(const Reach& reach) noexcept {
  CategorySet out = 0;
  for (const Part& part : reach.parts) out = static_cast<CategorySet>(out | part.any_of);
  return out;
}

/// A row counts for the first share that its verdict names: nearly all name one category.
std::vector<Share> shares_of(std::span<const ReachRow> rows, CategorySet own) {
  std::vector<Share> out;
  CategorySet rest = 0;
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    const CategorySet bit = set_of(static_cast<Category>(i));
    if ((own & bit) != 0) {
      out.push_back({bit, {}});
    } else {
      rest = static_cast<CategorySet>(rest | bit);
    }
  }
  out.push_back({rest, {}});
  for (const ReachRow& row : rows) {
    const CategorySet named = named_by(*row.reach);
    const auto share =
        std::find_if(out.begin(), out.end(), [&](const Share& s) { return (s.categories & named) != 0; });
    if (share != out.end()) share->rows.push_back({uniform_score(*row.reach), row.is_positive});
  }
  // Of what few rows are left over, nothing is learned: their categories have the one threshold for all.
  const auto& left = out.back().rows;
  const auto n_positive =
      std::count_if(left.begin(), left.end(), [](const auto& r) { return r.is_positive; });
  if (std::min<std::int64_t>(n_positive, std::ssize(left) - n_positive) < kMinCategoryRows) out.pop_back();
  for (Share& share : out)
    std::sort(share.rows.begin(), share.rows.end(),
              [](const auto& a, const auto& b) { return a.score > b.score; });
  return out;
}

void set_threshold(Thresholds& thresholds, CategorySet categories, float threshold) noexcept {
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    if ((categories & set_of(static_cast<Category>(i))) != 0) thresholds[i] = threshold;
  }
}

/// The threshold where hits less `price` times the alarms are most; `none` where that is when nothing is
/// blocked.
float best_at_price(std::span<const ScoredRow> rows, double price, float none) noexcept {
  double gain = 0, most = 0;
  float out = none;
  for (std::size_t i = 0; i < rows.size() && rows[i].score >= 0;) {
    const float threshold = rows[i].score;
    for (; i < rows.size() && rows[i].score == threshold; ++i) gain += rows[i].is_positive ? 1 : -price;
    if (threshold <= 1 && gain > most) {
      most = gain;
      out = threshold;
    }
  }
  return out;
}

/// Of `own`, those whose threshold is not that of the categories outside of it, which have one; all when
/// there are none outside.
CategorySet differing(const Thresholds& thresholds, CategorySet own) noexcept {
  std::optional<float> common;
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    if ((own & set_of(static_cast<Category>(i))) == 0) common = thresholds[i];
  }
  CategorySet out = 0;
  for (std::size_t i = 0; i < thresholds.size(); ++i) {
    const CategorySet bit = set_of(static_cast<Category>(i));
    if ((own & bit) != 0 && (!common || thresholds[i] != *common)) out = static_cast<CategorySet>(out | bit);
  }
  return out;
}

/// Spends what alarms are left: the thresholds of one share after another go down as far as they may.
void spend_rest(const Goal& goal, std::span<const ReachRow> rows, std::span<const Share> shares,
                ThresholdsChoice& best) {
  for (const Share& share : shares) {
    std::vector<float> candidates;
    for (const ScoredRow& row : share.rows) {
      if (row.score >= 0 && row.score <= 1 && (candidates.empty() || row.score < candidates.back()))
        candidates.push_back(row.score);
    }
    // Alarms only grow downwards, so that the lowest that is allowed can be looked for by halves.
    std::size_t low = 0, high = candidates.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      Thresholds tried = best.thresholds;
      set_threshold(tried, share.categories, candidates[middle]);
      const Counts counts = count_blocked(rows, tried);
      if (keeps_to_goal(goal, counts)) {
        if (is_better(goal, counts, best.counts)) best = {tried, 0, counts};
        low = middle + 1;
      } else {
        high = middle;
      }
    }
  }
}

}  // namespace

CategoryRows count_categories(std::span<const ReachRow> rows) noexcept {
  CategoryRows out;
  for (const ReachRow& row : rows) {
    const CategorySet named = named_by(*row.reach);
    for (std::size_t i = 0; i < kCategoryCount; ++i) {
      if ((named & set_of(static_cast<Category>(i))) != 0)
        ++(row.is_positive ? out.n_positive : out.n_negative)[i];
    }
  }
  return out;
}

CategorySet large_categories(const CategoryRows& rows) noexcept {
  CategorySet out = 0;
  for (std::size_t i = 0; i < kCategoryCount; ++i) {
    if (std::min(rows.n_positive[i], rows.n_negative[i]) >= kMinCategoryRows)
      out = static_cast<CategorySet>(out | set_of(static_cast<Category>(i)));
  }
  return out;
}

std::optional<ThresholdsChoice> choose_thresholds(const Goal& goal, std::span<const ReachRow> rows,
                                                  CategorySet own) {
  std::vector<ScoredRow> scored;
  scored.reserve(rows.size());
  for (const ReachRow& row : rows) scored.push_back({uniform_score(*row.reach), row.is_positive});
  const auto uniform = choose_threshold(goal, scored);
  if (!uniform) return std::nullopt;
  ThresholdsChoice best;
  best.thresholds.fill(uniform->threshold);
  best.counts = uniform->counts;
  if (own == 0) return best;

  // What is best for all shares together is, for some price of an alarm in hits, best for each of them.
  const std::vector<Share> shares = shares_of(rows, own);
  for (int step = -24; step <= 24; ++step) {
    const double price = std::exp2(step / 3.0);
    Thresholds tried;
    tried.fill(uniform->threshold);
    for (const Share& share : shares)
      set_threshold(tried, share.categories, best_at_price(share.rows, price, 1.0F));
    const Counts counts = count_blocked(rows, tried);
    if (keeps_to_goal(goal, counts) && is_better(goal, counts, best.counts)) best = {tried, 0, counts};
  }
  if (goal.target_fpr) spend_rest(goal, rows, shares, best);
  best.own = differing(best.thresholds, own);
  return best;
}

Counts count_blocked(std::span<const ReachRow> rows, const Thresholds& thresholds) noexcept {
  Counts out;
  for (const ReachRow& row : rows) out.add(row.is_positive, is_blocked(*row.reach, thresholds));
  return out;
}

}  // namespace qwen3guard::evaluation
