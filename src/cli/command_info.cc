// SPDX-License-Identifier: Apache-2.0
#include <array>
#include <cstdio>
#include <memory>
#include <string>

#include "cli.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {
namespace {

struct InfoFlags {
  ModelFlags model;
  bool json = false;
};

std::string to_json(const ModelInfo& info) {
  JsonOut json;
  json.begin_output("info");
  json.key("kind").string(to_string(info.kind));
  json.key("architecture").string(info.architecture);
  json.key("hidden_size").integer(info.hidden_size);
  json.key("n_layers").integer(info.n_layers);
  json.key("n_heads").integer(info.n_heads);
  json.key("n_kv_heads").integer(info.n_kv_heads);
  json.key("head_dim").integer(info.head_dim);
  json.key("intermediate_size").integer(info.intermediate_size);
  json.key("vocab_size").integer(info.vocab_size);
  json.key("max_context_tokens").integer(info.max_context_tokens);
  json.key("tied_embeddings").boolean(info.tied_embeddings);
  json.key("n_parameters").integer(info.n_parameters);
  json.key("weight_bytes").integer(info.weight_bytes);
  json.key("weight_dtype").string(info.weight_dtype);
  json.key("kv_bytes_per_token").integer(info.kv_bytes_per_token);
  json.key("isa").string(info.isa);
  json.key("isa_available").begin_array();
  for (const std::string& isa : info.isa_available) json.string(isa);
  json.end_array();
  json.key("n_threads").integer(info.n_threads);
  json.key("chat_template").string(to_string(info.chat_template));
  json.key("chat_template_fingerprint").string(info.chat_template_fingerprint);
  json.end_object();
  return json.text();
}

std::string mib(std::int64_t bytes) {
  std::array<char, 32> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.1f MiB", static_cast<double>(bytes) / (1024.0 * 1024.0));
  return buffer.data();
}

std::string template_text(const ModelInfo& info) {
  const std::string kind = to_string(info.chat_template);
  return info.chat_template_fingerprint.empty()
             ? kind
             : kind + " (fingerprint " + info.chat_template_fingerprint + ")";
}

std::string to_text(const ModelInfo& info) {
  std::string isas;
  for (const std::string& isa : info.isa_available) isas += (isas.empty() ? "" : ", ") + isa;
  const auto number = [](std::int64_t n) { return std::to_string(n); };
  return "architecture     " + escaped(info.architecture) + " (" + to_string(info.kind) + ")" +
         "\nlayers           " + number(info.n_layers) + ", hidden " + number(info.hidden_size) + ", MLP " +
         number(info.intermediate_size) + "\nattention        " + number(info.n_heads) + " heads, " +
         number(info.n_kv_heads) + " key-value heads, head_dim " + number(info.head_dim) +
         "\nvocabulary       " + number(info.vocab_size) + (info.tied_embeddings ? ", tied" : ", untied") +
         "\ncontext          " + number(info.max_context_tokens) + " tokens" + "\nparameters       " +
         number(info.n_parameters) + " (" + info.weight_dtype + ")" + "\nmemory           weights " +
         mib(info.weight_bytes) + " (mapped, shared), cache " + number(info.kv_bytes_per_token) +
         " bytes a token" + "\ninstruction set  " + info.isa + " (available: " + isas + ")" +
         "\nthreads          " + number(info.n_threads) + "\nchat template    " + template_text(info);
}

void run(const InfoFlags& flags) {
  const ModelInfo info = load_guard(flags.model, /*require_tokenizer=*/false).info();
  print_line(flags.json ? to_json(info) : to_text(info));
}

}  // namespace

void add_info_command(CLI::App& app) {
  auto flags = std::make_shared<InfoFlags>();
  CLI::App* command = app.add_subcommand("info", "architecture, sizes, memory, instruction sets, threads");
  add_model_flags(*command, flags->model);
  add_template_flags(*command, flags->model);
  command->add_flag("--json", flags->json, "one JSON object");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
