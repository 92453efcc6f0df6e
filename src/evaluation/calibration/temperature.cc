// SPDX-License-Identifier: Apache-2.0
#include "evaluation/calibration/temperature.hpp"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

namespace qwen3guard::evaluation {
namespace {

/// As score_of() (guard/policy/assess.hpp), in double; empty without probabilities.
std::optional<double> smooth_score(const SeverityProbabilities& p, Mode mode, double temperature) noexcept {
  const double most = std::max({p.safe, p.controversial, p.unsafe});
  if (!(most > 0)) return std::nullopt;
  const auto scaled = [&](float value) {
    return std::pow(static_cast<double>(value) / most, 1 / temperature);
  };
  const double safe = scaled(p.safe), controversial = scaled(p.controversial), unsafe = scaled(p.unsafe);
  return (mode == Mode::strict ? unsafe + controversial : unsafe) / (safe + controversial + unsafe);
}

}  // namespace

double negative_log_likelihood(std::span<const ProbabilityRow> rows, Mode mode, double temperature) noexcept {
  constexpr double kLeast = 1e-7;
  double sum = 0;
  std::size_t n = 0;
  for (const ProbabilityRow& row : rows) {
    const auto score = smooth_score(row.probabilities, mode, temperature);
    if (!score) continue;
    ++n;
    sum -= std::log(std::clamp(row.is_positive ? *score : 1 - *score, kLeast, 1 - kLeast));
  }
  return n == 0 ? 0 : sum / static_cast<double>(n);
}

float fit_temperature(std::span<const ProbabilityRow> rows, Mode mode) noexcept {
  const double lowest = std::log(0.05), highest = std::log(20.0);
  const auto loss = [&](double log_temperature) {
    return negative_log_likelihood(rows, mode, std::exp(log_temperature));
  };
  // The loss need not have one valley only, as two of three probabilities are added up.
  constexpr int kSteps = 24;
  const double step = (highest - lowest) / kSteps;
  double best = 0, least = loss(0);
  for (int i = 0; i <= kSteps; ++i) {
    const double at = lowest + step * i;
    if (const double value = loss(at); value < least) {
      least = value;
      best = at;
    }
  }
  // Golden sections of what lies beside the best step.
  constexpr double kGolden = 0.6180339887498949;
  double low = std::max(lowest, best - step), high = std::min(highest, best + step);
  double left = high - kGolden * (high - low), right = low + kGolden * (high - low);
  double at_left = loss(left), at_right = loss(right);
  while (high - low > 1e-4) {
    if (at_left <= at_right) {
      high = right;
      right = left;
      at_right = at_left;
      left = high - kGolden * (high - low);
      at_left = loss(left);
    } else {
      low = left;
      left = right;
      at_left = at_right;
      right = low + kGolden * (high - low);
      at_right = loss(right);
    }
  }
  return static_cast<float>(std::round(std::exp((low + high) / 2) * 1000) / 1000);
}

TemperatureChoice choose_temperature(std::span<const ProbabilityRow> rows,
                                     std::span<const std::int32_t> folds, Mode mode) {
  TemperatureChoice out;
  if (folds.empty()) return out;
  const std::int32_t n_folds = *std::max_element(folds.begin(), folds.end()) + 1;
  std::vector<ProbabilityRow> train, test;
  for (std::int32_t fold = 0; fold < n_folds; ++fold) {
    train.clear();
    test.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) (folds[i] == fold ? test : train).push_back(rows[i]);
    const double share = static_cast<double>(test.size()) / static_cast<double>(rows.size());
    out.held_out += share * negative_log_likelihood(test, mode, fit_temperature(train, mode));
    out.held_out_at_1 += share * negative_log_likelihood(test, mode, 1);
  }
  if (out.held_out < out.held_out_at_1) out.temperature = fit_temperature(rows, mode);
  return out;
}

}  // namespace qwen3guard::evaluation
