// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_EVAL_COMMANDS_HPP
#define QWEN3GUARD_SRC_CLI_EVAL_COMMANDS_HPP

#include <CLI/CLI.hpp>

/// The commands of this folder.
namespace qwen3guard::cli {

/// `eval`, with its subcommands.
void add_eval_command(CLI::App& app);
/// `calibrate`.
void add_calibrate_command(CLI::App& app);

/// `eval compare`.
void add_compare_command(CLI::App& eval);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_EVAL_COMMANDS_HPP
