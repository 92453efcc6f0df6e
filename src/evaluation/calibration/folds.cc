// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/folds.hpp"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <random>
#include <utility>

namespace qwen3guard::evaluation {
namespace {

/// Rows that stay together, by their indices, in the order in which they first appear.
std::vector<std::vector<std::size_t>> group_rows(std::span<const FoldRow> rows) {
  std::vector<std::vector<std::size_t>> groups;
  std::map<std::string_view, std::size_t> known;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::size_t group = groups.size();
    if (!rows[i].group.empty()) group = known.emplace(rows[i].group, group).first->second;
    if (group == groups.size()) groups.emplace_back();
    groups[group].push_back(i);
  }
  return groups;
}

}  // namespace

std::vector<std::int32_t> make_folds(std::span<const FoldRow> rows, std::int32_t n_folds,
                                     std::uint64_t seed) {
  auto groups = group_rows(rows);
  std::array<std::int64_t, 2> n_groups{};
  for (const auto& group : groups) ++n_groups[rows[group.front()].is_positive ? 1 : 0];
  const std::int64_t n = std::min<std::int64_t>({n_folds, n_groups[0], n_groups[1]});
  if (n < 2) return {};

  std::mt19937_64 random(seed);
  // Not std::shuffle, which differs between standard libraries.
  for (std::size_t left = groups.size(); left > 1; --left)
    std::swap(groups[left - 1], groups[static_cast<std::size_t>(random() % left)]);
  const auto stratum = [&](const std::vector<std::size_t>& group) {
    const FoldRow& row = rows[group.front()];
    return std::pair(row.is_positive, row.label);
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const auto& a, const auto& b) { return stratum(a) < stratum(b); });

  std::vector<std::int32_t> out(rows.size());
  for (std::size_t i = 0; i < groups.size(); ++i) {
    for (const std::size_t row : groups[i])
      out[row] = static_cast<std::int32_t>(i % static_cast<std::size_t>(n));
  }
  return out;
}

}  // namespace qwen3guard::evaluation
