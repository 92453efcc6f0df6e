// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_SRC_CLI_CLI_HPP
#define QWEN3GUARD_SRC_CLI_CLI_HPP

#include <CLI/CLI.hpp>
#include <cstdint>
#include <cstdio>
#include <string>
#include <string_view>

#include "color.hpp"
#include "errors.hpp"
#include "qwen3guard/qwen3guard.hpp"

/// What the subcommands share. A command runs to its end or throws; main() turns exceptions into one line on
/// stderr and exit code 2.
namespace qwen3guard::cli {

/// --model, --threads, --verify: the same for every command that loads a model.
struct ModelFlags {
  std::string model;
  std::int32_t n_threads = 0;
  bool verify = false, refuse_unknown_template = false;
  std::string known_template;
};
void add_model_flags(CLI::App& command, ModelFlags& flags);
/// For commands that judge or report.
void add_template_flags(CLI::App& command, ModelFlags& flags);

/// A bare name is an embedded model; anything with a slash (and "." and "..") or with .q3g at its end is a
/// path. Throws Exception.
[[nodiscard]] Guard load_guard(const ModelFlags& flags, bool require_tokenizer = true);
[[nodiscard]] bool is_path(std::string_view model);
[[nodiscard]] bool is_packed_name(std::string_view model);

/// Writes a line to stdout and flushes it: whoever reads the pipe has it at once. Throws when it cannot.
void print_line(std::string_view line);
/// The same without the line's end.
void print_text(std::string_view text);
/// "qwen3guard: error: " and the message, escaped, as one line on stderr.
void print_error(std::string_view message);
/// "qwen3guard: " and the message, escaped, as one line on stderr.
void print_warning(std::string_view message);

/// True when standard input is a terminal: a person who would wait for ever.
[[nodiscard]] bool stdin_is_terminal();

/// Registers a subcommand and what it does.
void add_classify_command(CLI::App& app);
void add_stream_command(CLI::App& app);
void add_tokenize_command(CLI::App& app);
void add_logits_command(CLI::App& app);
void add_info_command(CLI::App& app);
void add_bench_command(CLI::App& app);
void add_quantize_command(CLI::App& app);
void add_verify_command(CLI::App& app);
void add_policy_command(CLI::App& app);

}  // namespace qwen3guard::cli

#endif  // QWEN3GUARD_SRC_CLI_CLI_HPP
