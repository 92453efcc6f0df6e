// SPDX-License-Identifier: Apache-2.0
#include "cli.hpp"

#include "platform.hpp"

namespace qwen3guard::cli {

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command
      .add_option("--model", flags.model,
                  "an embedded model's name (nano-gen, nano-stream), or a path: a folder, with a slash, or "
                  "a packed file, with a slash or .q3g at its end")
      ->required();
  command.add_option("--threads", flags.n_threads, "threads to use; 0: all cores");
  command.add_flag("--verify", flags.verify,
                   "read all of the model's files and compare every checksum before they are used");
}

void add_template_flags(CLI::App& command, ModelFlags& flags) {
  command.add_flag("--refuse-unknown-template", flags.refuse_unknown_template,
                   "load no checkpoint whose own chat template is unknown (see info)");
  command.add_option("--known-template", flags.known_template,
                     "the fingerprint of one more chat template that counts as known");
}

bool is_packed_name(std::string_view model) { return model.ends_with(".q3g"); }

bool is_path(std::string_view model) {
  return model == "." || model == ".." || model.find_first_of("/\\") != std::string_view::npos ||
         is_packed_name(model);
}

Guard load_guard(const ModelFlags& flags, bool require_tokenizer) {
  GuardOptions options;
  options.n_threads = flags.n_threads;
  options.require_tokenizer = require_tokenizer;
  if (flags.verify) options.verify = Verify::full;
  if (flags.refuse_unknown_template) options.unknown_template = UnknownTemplate::refuse;
  options.known_template = flags.known_template;
  if (is_path(flags.model)) return Guard::load(flags.model, options).value();
  auto guard = Guard::load_embedded(flags.model, options);
  if (!guard.ok() && guard.error().code == ErrorCode::file_not_found) {
    throw UsageError(guard.error().detail + " (a folder needs a slash: ./" + printable(flags.model) + ")");
  }
  return std::move(guard).value();
}

void print_text(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    throw UsageError("cannot write to standard output");
  }
}

void print_line(std::string_view line) {
  std::string text(line);
  text += '\n';
  print_text(text);
}

void print_error(std::string_view message) {
  std::fprintf(stderr, "qwen3guard: error: %s\n", escaped(message).c_str());
}

void print_warning(std::string_view message) {
  std::fprintf(stderr, "qwen3guard: %s\n", escaped(message).c_str());
}

bool stdin_is_terminal() { return is_terminal(stdin); }

}  // namespace qwen3guard::cli
