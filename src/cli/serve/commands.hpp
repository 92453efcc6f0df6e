// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_SERVE_COMMANDS_HPP
#define QWEN3GUARD_SRC_CLI_SERVE_COMMANDS_HPP

#include <CLI/CLI.hpp>

namespace qwen3guard::cli {

/// `serve`: verdicts over HTTP. Not in every build (Q3G_WITH_SERVER).
void add_serve_command(CLI::App& app);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_SERVE_COMMANDS_HPP
