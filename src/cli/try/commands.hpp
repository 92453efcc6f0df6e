// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_TRY_COMMANDS_HPP
#define QWEN3GUARD_SRC_CLI_TRY_COMMANDS_HPP

#include <CLI/CLI.hpp>

namespace qwen3guard::cli {

/// `try`: what a person types at a terminal is judged.
void add_try_command(CLI::App& app);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_TRY_COMMANDS_HPP
