// SPDX-License-Identifier: Apache-2.0
#include "evaluation/ranking.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>

namespace qwen3guard::evaluation {
namespace {

/// Twice the pairs (a positive, a negative row) of which the positive one scores higher, ties counted once.
template <class Place, class Weight>
std::optional<double> area(const std::vector<Place>& places, const Weight& weight_of) {
  double n_positive = 0, n_negative = 0, doubled = 0;
  for (std::size_t i = 0; i < places.size();) {
    double tied_positive = 0, tied_negative = 0;
    const float score = places[i].score;
    for (; i < places.size() && places[i].score == score; ++i)
      (places[i].is_positive ? tied_positive : tied_negative) += weight_of(places[i].row);
    // Those above, and half of those beside.
    doubled += tied_negative * (2 * n_positive + tied_positive);
    n_positive += tied_positive;
    n_negative += tied_negative;
  }
  if (n_positive == 0 || n_negative == 0) return std::nullopt;
  return doubled / (2 * n_positive * n_negative);
}

}  // namespace

Ranking::Ranking(std::span<const ScoredRow> rows) {
  places_.reserve(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i)
    places_.push_back({rows[i].score, static_cast<std::uint32_t>(i), rows[i].is_positive});
  std::stable_sort(places_.begin(), places_.end(),
                   [](const Place& a, const Place& b) { return a.score > b.score; });
}

std::optional<double> Ranking::auc() const {
  return area(places_, [](std::uint32_t) { return 1.0; });
}

std::optional<double> Ranking::auc(std::span<const std::uint32_t> weights) const {
  return area(places_, [&](std::uint32_t row) { return static_cast<double>(weights[row]); });
}

std::vector<CurvePoint> Ranking::curve() const {
  constexpr int kSteps = 100;
  const auto n_positive =
      std::count_if(places_.begin(), places_.end(), [](const Place& p) { return p.is_positive; });
  const auto n_negative = static_cast<std::ptrdiff_t>(places_.size()) - n_positive;
  std::vector<CurvePoint> out;
  if (n_positive == 0) return out;
  std::ptrdiff_t tp = 0, fp = 0;
  int step = 0;
  for (std::size_t i = 0; i < places_.size() && step <= kSteps;) {
    const float score = places_[i].score;
    for (; i < places_.size() && places_[i].score == score; ++i) ++(places_[i].is_positive ? tp : fp);
    // recall >= step / kSteps, without rounding
    if (tp * kSteps < step * n_positive) continue;
    while (step <= kSteps && tp * kSteps >= step * n_positive) ++step;
    CurvePoint& point = out.emplace_back();
    point.threshold = score;
    point.precision = static_cast<double>(tp) / static_cast<double>(tp + fp);
    point.recall = static_cast<double>(tp) / static_cast<double>(n_positive);
    if (n_negative > 0) point.false_alarm_rate = static_cast<double>(fp) / static_cast<double>(n_negative);
  }
  return out;
}

std::optional<OperatingPoint> operating_point(std::span<const float> safe_scores,
                                              double target_false_alarm_rate) {
  if (safe_scores.empty()) return std::nullopt;
  std::vector<float> scores(safe_scores.begin(), safe_scores.end());
  std::sort(scores.begin(), scores.end(), std::greater<>());
  const double n = static_cast<double>(scores.size());
  std::size_t n_flagged = 0;
  for (std::size_t i = 0; i < scores.size();) {
    std::size_t end = i;
    while (end < scores.size() && scores[end] == scores[i]) ++end;
    if (static_cast<double>(end) / n > target_false_alarm_rate) break;
    n_flagged = i = end;
  }
  OperatingPoint out;
  out.n = static_cast<std::int64_t>(scores.size());
  out.false_alarm_rate = static_cast<double>(n_flagged) / n;
  // All of them may be flagged; else the lowest threshold that spares the next one.
  out.threshold = n_flagged == scores.size()
                      ? 0
                      : std::nextafter(scores[n_flagged], std::numeric_limits<float>::infinity());
  return out;
}

}  // namespace qwen3guard::evaluation
