// SPDX-License-Identifier: Apache-2.0
#include "evaluation/category_metrics.hpp"

#include <algorithm>

#include "evaluation/counts.hpp"

namespace qwen3guard::evaluation {
namespace {

bool is_harmful(const Record& row) { return row.gold.label && is_positive(*row.gold.label, Mode::strict); }

std::size_t index_of(Category category) noexcept { return static_cast<std::size_t>(category); }

}  // namespace

std::optional<double> CategoryMetrics::recall_strict() const noexcept { return share(n_flagged_strict, n); }
std::optional<double> CategoryMetrics::recall_loose() const noexcept { return share(n_flagged_loose, n); }
std::optional<double> CategoryMetrics::named_rate() const noexcept { return share(n_named, n_called); }

CategoryTable category_metrics(std::span<const Record* const> rows) {
  CategoryTable out{};
  for (const Record* row : rows) {
    if (!is_harmful(*row)) continue;
    const Prediction& said = row->prediction;
    for (std::size_t i = 0; i < row->gold.categories.size(); ++i) {
      const Category category = row->gold.categories[i];
      const auto begin = row->gold.categories.begin();
      const auto here = begin + static_cast<std::ptrdiff_t>(i);
      if (std::find(begin, here, category) != here) continue;  // named twice
      CategoryMetrics& one = out[index_of(category)];
      ++one.n;
      one.n_flagged_strict += is_flagged(said, Mode::strict, true) ? 1 : 0;
      one.n_flagged_loose += is_flagged(said, Mode::loose, true) ? 1 : 0;
      if (!is_positive(said.severity, Mode::strict)) continue;
      ++one.n_called;
      one.n_named += std::any_of(said.categories.begin(), said.categories.end(),
                                 [&](const CategoryScore& score) { return score.category == category; })
                         ? 1
                         : 0;
    }
  }
  return out;
}

std::optional<CategoryConfusion> category_confusion(std::span<const Record* const> rows) {
  CategoryConfusion out;
  std::int64_t n = 0, n_right = 0;
  for (const Record* row : rows) {
    const Prediction& said = row->prediction;
    if (!is_harmful(*row) || row->gold.categories.empty() || !is_positive(said.severity, Mode::strict) ||
        said.categories.empty())
      continue;
    const std::size_t gold = index_of(row->gold.categories.front());
    const std::size_t named = index_of(said.categories.front().category);
    ++out.counts[gold][named];
    ++n;
    n_right += gold == named ? 1 : 0;
  }
  if (n == 0) return std::nullopt;
  out.accuracy = static_cast<double>(n_right) / static_cast<double>(n);
  return out;
}

}  // namespace qwen3guard::evaluation
