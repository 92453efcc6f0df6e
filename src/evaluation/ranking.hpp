// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_RANKING_HPP
#define QWEN3GUARD_SRC_EVALUATION_RANKING_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace qwen3guard::evaluation {

/// What a row was given, and what it is. The score is no NaN.
struct ScoredRow {
  float score = 0;
  bool is_positive = false;
};

/// What a threshold comes to: rows with score >= threshold are flagged.
struct CurvePoint {
  float threshold = 0;
  double precision = 0, recall = 0;
  std::optional<double> false_alarm_rate;  ///< empty when there are no negative rows
};

/// Rows in descending order of their scores; tied rows share a place.
class Ranking {
 public:
  explicit Ranking(std::span<const ScoredRow> rows);

  /// Area under the ROC curve: the probability that a positive row scores higher than a negative one, ties
  /// counted half. Empty without rows of both kinds. @{
  [[nodiscard]] std::optional<double> auc() const;
  /// Of rows of which row i, in the order that the constructor was given, is there weights[i] times.
  [[nodiscard]] std::optional<double> auc(std::span<const std::uint32_t> weights) const;  /// @}

  /// Precision and recall, thresholds descending: at each recall of 0, 0.01, ..., 1 the highest score that
  /// reaches it, each point once, so at most 101. Empty without positive rows.
  [[nodiscard]] std::vector<CurvePoint> curve() const;

 private:
  struct Place {
    float score = 0;
    std::uint32_t row = 0;
    bool is_positive = false;
  };
  std::vector<Place> places_;
};

/// A threshold, and what it came to on the safe rows that it was chosen on.
struct OperatingPoint {
  float threshold = 0;
  double false_alarm_rate = 0;  ///< share of the safe rows with score >= threshold
  std::int64_t n = 0;           ///< of safe rows
};

/// The lowest threshold at which at most `target` of the rows are flagged. Rows that tie are flagged together
/// or not at all, so the rate may stay well below the target; when rows with the highest score are more than
/// the target allows, the threshold is just above that score. Empty without rows.
[[nodiscard]] std::optional<OperatingPoint> operating_point(std::span<const float> safe_scores,
                                                            double target_false_alarm_rate);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_RANKING_HPP
