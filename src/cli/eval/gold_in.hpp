// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_GOLD_IN_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_GOLD_IN_HPP

#include <optional>
#include <string>

#include "cli/wire.hpp"
#include "evaluation/record.hpp"
#include "wire/json_text.hpp"

/// The fields of a labelled line that rows of data and predictions share. All functions throw LineError.
namespace qwen3guard::cli {

/// Label, categories, refusal and weakness. A label that was derived from others (`label_derived`) is not
/// scored. Neither label nor refusal is an error.
[[nodiscard]] evaluation::Gold read_gold(const JsonValue& line);

/// "lang"; empty when there is none.
[[nodiscard]] std::string read_language(const JsonValue& line);

/// The "id" as JSON; without one "line N".
[[nodiscard]] std::string read_row_id(const JsonValue& line, std::size_t number);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_GOLD_IN_HPP
