// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_PREDICTION_IN_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_PREDICTION_IN_HPP

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/wire.hpp"
#include "evaluation/record.hpp"
#include "wire/json_text.hpp"

namespace qwen3guard::cli {

/// A line of predictions.jsonl, ours or somebody else's: needed are set, id, role, a label or a refusal, and
/// the verdict's severity; `scores` are by default those of its probabilities. `number`: the line's own, for
/// a row that does not say where it was. Throws LineError.
[[nodiscard]] evaluation::Record read_prediction(const JsonValue& line, std::size_t number);

/// Calls visit(record, line) for each line of a predictions file; returns how many there are. Two rows of a
/// set with one id are an error. Throws UsageError: "PATH: line N: ...".
std::size_t for_each_prediction(
    std::string_view text, const std::string& path,
    const std::function<void(evaluation::Record record, const JsonValue& line)>& visit);

/// All of them.
[[nodiscard]] std::vector<evaluation::Record> read_predictions(std::string_view text,
                                                               const std::string& path);

/// Calls visit(line, number) for each line that is not blank, with its JSON. What is wrong with a line, as
/// LineError from `visit` too, is thrown as UsageError: "PATH: line N: ...".
void for_each_json_line(std::string_view text, const std::string& path,
                        const std::function<void(const JsonValue& line, std::size_t number)>& visit);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_PREDICTION_IN_HPP
