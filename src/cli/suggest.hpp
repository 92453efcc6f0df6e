// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_SUGGEST_HPP
#define QWEN3GUARD_SRC_CLI_SUGGEST_HPP

#include <string>
#include <string_view>
#include <vector>

#include "cli.hpp"

namespace qwen3guard::cli {

/// The name that was probably meant: one that `given` begins, or the one with the fewest letters added, left
/// out, changed or swapped. "" when none is near.
[[nodiscard]] std::string nearest(std::string_view given, const std::vector<std::string>& names);

/// Throws UsageError when the first argument is no command; it names the nearest one. The same for a command
/// that has commands of its own.
void check_command(const CLI::App& app, int argc, char** argv);

/// What was wrong with the arguments: an option that does not exist, with the nearest one, before what it
/// caused; else CLI11's words. `help_of`: the program and the commands that lead to `app`.
[[nodiscard]] std::string explain(const CLI::App& app, const CLI::ParseError& error,
                                  const std::string& help_of = "qwen3guard");

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_SUGGEST_HPP
