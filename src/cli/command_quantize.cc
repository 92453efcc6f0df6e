// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <vector>

#include "cli.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {
namespace {

/// Set by Ctrl-C; looked at between matrices, so that the unfinished file is removed.
volatile std::sig_atomic_t stop_requested = 0;

extern "C" void request_stop(int) { stop_requested = 1; }

struct QuantizeFlags {
  ModelFlags model;
  std::string type = "int8", embeddings = "automatic", out;
  std::int32_t group = -1;
  bool force = false, keep_prefix = false, json = false;
};

constexpr std::array kAllEmbeddings = {PackedEmbeddings::automatic, PackedEmbeddings::int8,
                                       PackedEmbeddings::plain};

template <class Values>
std::vector<std::string> value_names(const Values& values) {
  std::vector<std::string> names;
  names.reserve(values.size());
  for (const auto value : values) names.emplace_back(to_string(value));
  return names;
}

QuantizeOptions to_options(const QuantizeFlags& flags) {
  QuantizeOptions options;
  for (const PackedWeights type : all_packed_weights()) {
    if (flags.type == to_string(type)) options.type = type;
  }
  for (const PackedEmbeddings embeddings : kAllEmbeddings) {
    if (flags.embeddings == to_string(embeddings)) options.embeddings = embeddings;
  }
  options.group_size = flags.group;
  options.overwrite = flags.force;
  options.keep_prefix = flags.keep_prefix;
  options.n_threads = flags.model.n_threads;
  const bool show_progress = wants_color(stderr);
  options.progress = [show_progress](std::int64_t n_done, std::int64_t n_total) {
    if (show_progress && n_total > 0) {
      const double percent = 100.0 * static_cast<double>(n_done) / static_cast<double>(n_total);
      std::fprintf(stderr, "\r%3.0f %%%s", percent, n_done == n_total ? "\r     \r" : "");
    }
    return stop_requested == 0;
  };
  return options;
}

std::string to_json(const QuantizeReport& report, const std::string& file) {
  JsonOut json;
  json.begin_output("packed");
  json.key("file").string(file);
  json.key("weight_dtype").string(report.weight_dtype);
  json.key("source_bytes").integer(report.source_bytes);
  json.key("file_bytes").integer(report.file_bytes);
  json.key("seconds").rounded(report.seconds);
  json.end_object();
  return json.text();
}

double to_mib(std::int64_t bytes) { return static_cast<double>(bytes) / (1024.0 * 1024.0); }

void run(const QuantizeFlags& flags) {
  std::signal(SIGINT, request_stop);
  std::signal(SIGTERM, request_stop);
  const QuantizeOptions options = to_options(flags);
  const auto result = is_path(flags.model.model) ? quantize(flags.model.model, flags.out, options)
                                                 : quantize_embedded(flags.model.model, flags.out, options);
  const QuantizeReport& report = result.value();
  if (flags.json) return print_line(to_json(report, flags.out));
  std::array<char, 160> text{};
  std::snprintf(text.data(), text.size(), ": %s, weights of %.1f MiB to a file of %.1f MiB (%.2f x), %.1f s",
                report.weight_dtype.c_str(), to_mib(report.source_bytes), to_mib(report.file_bytes),
                static_cast<double>(report.source_bytes) / static_cast<double>(report.file_bytes),
                report.seconds);
  print_line(escaped(flags.out) + text.data());
}

}  // namespace

void add_quantize_command(CLI::App& app) {
  auto flags = std::make_shared<QuantizeFlags>();
  CLI::App* command = app.add_subcommand("quantize", "pack a checkpoint into one smaller, faster file");
  add_model_flags(*command, flags->model);
  command->add_option("--type", flags->type, "how the layers' matrices are stored")
      ->check(CLI::IsMember(value_names(all_packed_weights())))
      ->capture_default_str();
  command->add_option("--group", flags->group,
                      "columns that share a scale: 32, 64 (default), 128, or 0 for one scale per row with "
                      "int8; 32 with int4");
  command
      ->add_option("--embeddings", flags->embeddings,
                   "how the tables with a row for each token are stored: automatic (int8 with int8 and int4, "
                   "plain with bf16 and fp16), int8, or plain, as the checkpoint has them")
      ->check(CLI::IsMember(value_names(kAllEmbeddings)))
      ->capture_default_str();
  command->add_option("--out", flags->out, "the file to write; .q3g is the usual end of its name")
      ->required();
  command->add_flag("--keep-prefix", flags->keep_prefix,
                    "Gen: store the constant part of the prompt as computed, for a fast first verdict");
  command->add_flag("--json", flags->json, "one JSON object");
  command->add_flag("--force", flags->force, "replace the file when it exists");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
