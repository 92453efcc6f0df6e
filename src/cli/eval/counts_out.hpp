// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_COUNTS_OUT_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_COUNTS_OUT_HPP

#include <optional>

#include "cli/wire.hpp"
#include "evaluation/bootstrap.hpp"
#include "evaluation/counts.hpp"
#include "wire/json_out.hpp"

/// Members of JSON objects that metrics and comparisons share. An empty value is null.
namespace qwen3guard::cli {

void put_share(JsonOut& json, const char* key, const std::optional<double>& value);
/// [low, high]
void put_interval(JsonOut& json, const char* key, const std::optional<evaluation::Interval>& interval);
/// F1, precision, recall, rate of false alarms, and the four counts: members of the object that is open.
void put_count_members(JsonOut& json, const evaluation::Counts& counts);
/// The same as an object.
void put_counts(JsonOut& json, const char* key, const evaluation::Counts& counts);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_COUNTS_OUT_HPP
