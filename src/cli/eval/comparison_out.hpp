// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_COMPARISON_OUT_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_COMPARISON_OUT_HPP

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli/eval/data_rows.hpp"
#include "cli/eval/metrics_out.hpp"
#include "evaluation/comparison.hpp"

namespace qwen3guard::cli {

/// A run that is compared.
struct ComparedRun {
  std::string folder;
  RunInfo info;
};

/// Whether F1 may fall by more than is allowed: by the lower ends of ModeComparison::f1_bound.
struct Gate {
  double limit = 0;                        ///< in [0, 1]
  double fall_strict = 0, fall_loose = 0;  ///< how far F1 may fall; 0 where it cannot
  /// By the bootstrap alone it would not fall by more: fewer than kFewDiscordant rows differ, and the rows
  /// are too few to rule more out.
  bool is_for_few_rows = false;
  [[nodiscard]] bool is_passed() const noexcept { return fall_strict <= limit && fall_loose <= limit; }
};

/// An option that the runs do not share; its values as JSON, "null" where it is not known.
struct OtherOption {
  std::string name, a, b;
};

/// All that is said of two runs.
struct ComparisonReport {
  ComparedRun a, b;
  std::vector<std::string> other_data;  ///< sets of both runs of which they judged different files
  std::vector<OtherOption> other_options;
  evaluation::BootstrapOptions bootstrap;
  evaluation::Pairing pairing;
  evaluation::Comparison comparison;
  RowTexts texts;
  std::optional<Gate> gate;
  std::size_t limit = 20;  ///< of rows that are listed, of each kind
};

/// One line, without its end: the form "comparison" of output.schema.json.
[[nodiscard]] std::string comparison_to_json(const ComparisonReport& report);

/// Tables for people, at most 100 columns for names of usual length, and the conclusion; ends in a line's
/// end.
[[nodiscard]] std::string comparison_to_text(const ComparisonReport& report, bool color);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_COMPARISON_OUT_HPP
