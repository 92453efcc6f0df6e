// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_PREDICTION_OUT_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_PREDICTION_OUT_HPP

#include <string>
#include <string_view>

#include "cli/eval/data_rows.hpp"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// What a line of predictions.jsonl says beside its row and its verdict.
struct PredictionContext {
  std::string_view set;
  Policy policy;                     ///< that ruled
  bool keep_token_verdicts = false;  ///< in the verdict, from which another policy can rule
  double ms = 0;                     ///< the row's share of its batch's time
};

/// A line of predictions.jsonl, without its end: the form "prediction" of output.schema.json. Beside our own
/// fields it has those that the published evaluation scripts write.
[[nodiscard]] std::string prediction_to_json(const DataRow& row, const Result<Verdict>& verdict,
                                             const PredictionContext& context);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_PREDICTION_OUT_HPP
