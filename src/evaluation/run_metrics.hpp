// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_EVALUATION_RUN_METRICS_HPP
#define QWEN3GUARD_SRC_EVALUATION_RUN_METRICS_HPP

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "evaluation/set_metrics.hpp"
#include "qwen3guard/status.hpp"

namespace qwen3guard::evaluation {

struct MetricsOptions {
  BootstrapOptions bootstrap;
  /// The set whose Safe rows choose the operating point, a threshold on the strict score; empty: none.
  std::string safe_set;
  double target_fpr = 0.05;  ///< false-alarm rate on them, in [0, 1]
};

/// A set that was run, and what of its data was no row.
struct SetInput {
  std::string name;
  std::vector<BadRow> bad_rows;
};

/// Means over sets; empty where no set has what is averaged.
struct MeanMetrics {
  /// Over the sets where F1 is defined in both modes. best_f1 takes each set's better mode. @{
  std::optional<double> strict_f1, loose_f1, best_f1;
  std::int64_t n_sets = 0;    /// @}
  std::optional<double> auc;  ///< over the sets that have one
};

struct RunMetrics {
  MetricsOptions options;
  std::optional<OperatingPoint> operating_point;
  std::vector<SetMetrics> sets;
  MeanMetrics mean;
};

/// The metrics of a run. Sets stand in the order of `inputs`; those that only records name follow in the
/// order in which they appear. Records may be in any order. Pure. Errors: invalid_argument (the safe set is
/// not there or has no judged Safe row; the target is not in [0, 1]).
[[nodiscard]] Result<RunMetrics> run_metrics(std::span<const Record> records,
                                             std::span<const SetInput> inputs, const MetricsOptions& options);

}  // namespace qwen3guard::evaluation

#endif  // QWEN3GUARD_SRC_EVALUATION_RUN_METRICS_HPP
