// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_SET_METRICS_HPP
#define QWEN3GUARD_SRC_EVALUATION_SET_METRICS_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/bootstrap.hpp"
#include "evaluation/category_metrics.hpp"
#include "evaluation/counts.hpp"
#include "evaluation/latency.hpp"
#include "evaluation/ranking.hpp"
#include "evaluation/record.hpp"
#include "evaluation/reliability.hpp"

namespace qwen3guard::evaluation {

/// A line of a data file that was not judged because it is no row.
struct BadRow {
  std::size_t line = 0;  ///< 1-based
  std::string reason;
};

/// Counts, and the 95 % bootstrap interval of their F1: empty where F1 is not defined or nobody asked for it.
struct ModeScores {
  Counts counts;
  std::optional<Interval> f1_interval;
};

/// The same counts in strict and in loose mode.
struct ScoresByMode {
  ModeScores strict, loose;
};

/// The rows of one language.
struct LanguageMetrics {
  std::int64_t n = 0;  ///< of labelled rows
  Counts strict, loose;
};

/// The better mode of a set; a tie is strict's. The report's headline takes it for each set.
struct BestMode {
  Mode mode = Mode::strict;
  double f1 = 0;
};

/// What a policy's actions came to; positive is gold Unsafe or Controversial.
struct ActionCounts {
  Counts block;  ///< flagged: blocked
  Counts flag;   ///< flagged: flagged or blocked
};

/// Of the rows that say how long they took.
struct SpeedMetrics {
  double rows_per_s = 0, tokens_per_s = 0, mean_ms_per_row = 0;
};

/// What is known of one set of rows. Empty optionals: not defined for this set.
struct SetMetrics {
  std::string name;
  std::vector<BadRow> bad_rows;
  std::int64_t n = 0;             ///< rows, without the bad ones
  std::int64_t n_not_judged = 0;  ///< of n: errors. They count against the model
  std::int64_t n_by_list = 0;     ///< of n: a deny list decided, without the model
  std::int64_t n_labelled = 0;    ///< of n
  /// Labelled rows by gold label, and all rows by what was said; by Severity. A row that a deny list decided
  /// was said to be Unsafe. @{
  std::array<std::int64_t, kSeverityCount + 1> gold{}, predicted{};  /// @}
  /// Controversial counts as Unsafe (strict) or Safe (loose), in the gold labels and in what was said.
  ScoresByMode scores;
  /// The same, but with gold labels as the published scripts count them: Unsafe only, in both modes.
  ScoresByMode published;
  std::optional<BestMode> best;
  /// Of the strict score against strict gold labels, and the loose one against loose ones. @{
  std::optional<double> auc, auc_loose;  /// @}
  std::optional<Interval> auc_interval;
  std::optional<ModeScores> at_operating_point;  ///< strict gold labels; empty without such a point
  std::vector<CurvePoint> curve;                 ///< strict
  std::optional<Reliability> reliability;        ///< strict
  std::map<std::string, LanguageMetrics> languages;
  CategoryTable categories{};
  std::optional<CategoryConfusion> category_confusion;
  std::optional<Counts> refusal;
  std::optional<StreamingMetrics> streaming;
  std::optional<ActionCounts> actions;  ///< empty when no row has an action
  std::optional<SpeedMetrics> speed;    ///< empty when no row says how long it took
};

/// The metrics of one set's rows, without its name and its bad rows. `threshold` is that of the operating
/// point, if there is one. A row that was not judged counts against the model (is_flagged()); it has no part
/// in what is made of scores: AUC, curve, reliability.
[[nodiscard]] SetMetrics set_metrics(std::span<const Record* const> rows, const BootstrapOptions& bootstrap,
                                     std::optional<float> threshold);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_SET_METRICS_HPP
