// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_EXAMPLES_IN_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_EXAMPLES_IN_HPP

#include <string>
#include <vector>

#include "cli/eval/data_rows.hpp"
#include "evaluation/calibration/example.hpp"
#include "qwen3guard/qwen3guard.hpp"

namespace qwen3guard::cli {

/// Rows to calibrate on from DIR/predictions.jsonl, with their whole verdicts. Their texts, which are not in
/// it, are those of the rows of `data` with the same set and id. Rows with the same text make a group; where
/// no text is known, those of which a model says the very same. Throws UsageError: a file cannot be read; a
/// line has not the form, by number; a row of the predictions is not in `data` that has its set.
[[nodiscard]] std::vector<evaluation::Example> read_examples(const std::string& folder,
                                                             const std::vector<std::string>& data);

/// Rows to calibrate on that `guard` judges now, with a progress bar on stderr. Rows with the same text make
/// a group. base: in the things that change what is judged (long texts, messages that are left out) its word
/// counts; its lists do not keep the model from judging. Throws CLI::RuntimeError when it is interrupted.
[[nodiscard]] std::vector<evaluation::Example> judge_examples(const Guard& guard, const PolicySpec& base,
                                                              const std::vector<DataSet>& sets);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_EXAMPLES_IN_HPP
