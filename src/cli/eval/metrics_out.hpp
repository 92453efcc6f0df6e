// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_METRICS_OUT_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_METRICS_OUT_HPP

#include <optional>
#include <string>

#include "cli/wire.hpp"
#include "evaluation/run_metrics.hpp"
#include "qwen3guard/guard.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {

/// What made the predictions. Empty: not known (somebody else's predictions).
struct RunInfo {
  std::string model_name;
  std::optional<ModelInfo> model;
  std::string policy_name, policy_version;
};

/// The model as an object; null when it is not known.
void put_model(JsonOut& json, const RunInfo& info);

/// One line, without its end: the form "metrics" of output.schema.json.
[[nodiscard]] std::string metrics_to_json(const evaluation::RunMetrics& metrics, const RunInfo& info);

/// A table for people, a line a set, at most 110 columns; ends in a line's end.
[[nodiscard]] std::string metrics_to_text(const evaluation::RunMetrics& metrics, const RunInfo& info);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_METRICS_OUT_HPP
