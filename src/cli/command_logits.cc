// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "cli.hpp"
#include "npy.hpp"
#include "wire/json_out.hpp"

namespace qwen3guard::cli {
namespace {

struct LogitsFlags {
  ModelFlags model;
  std::string ids, format = "json";
  bool last = false;
};

std::vector<TokenId> parse_ids(std::string_view text) {
  std::vector<TokenId> out;
  const char* at = text.data();
  const char* const end = at + text.size();
  for (;;) {
    TokenId id = 0;
    const auto [next, failed] = std::from_chars(at, end, id);
    if (failed != std::errc() || (next != end && *next != ',')) {
      throw UsageError("--ids: entry " + std::to_string(out.size()) +
                       " is not a token id; expected numbers such as 1,2,3");
    }
    out.push_back(id);
    if (next == end) return out;
    at = next + 1;
  }
}

std::string to_json(const std::vector<HeadLogits>& heads) {
  JsonOut json;
  json.begin_output("logits").key("heads").begin_object();
  for (const HeadLogits& head : heads) {
    json.key(head.name).begin_array();
    for (std::int32_t r = 0; r < head.rows; ++r) {
      json.begin_array();
      for (std::int32_t c = 0; c < head.cols; ++c) {
        json.number(head.values[static_cast<std::size_t>(r) * static_cast<std::size_t>(head.cols) +
                                static_cast<std::size_t>(c)]);
      }
      json.end_array();
    }
    json.end_array();
  }
  json.end_object();
  json.end_object();
  return json.text();
}

void run(const LogitsFlags& flags) {
  const std::vector<TokenId> ids = parse_ids(flags.ids);
  const Guard guard = load_guard(flags.model, /*require_tokenizer=*/false);
  const std::vector<HeadLogits> heads = guard.logits(ids, flags.last).value();
  if (flags.format == "json") return print_line(to_json(heads));
  for (const HeadLogits& head : heads) print_text(to_npy(head));
}

}  // namespace

void add_logits_command(CLI::App& app) {
  auto flags = std::make_shared<LogitsFlags>();
  CLI::App* command =
      app.add_subcommand("logits", "raw logits of every head, for checks against other runtimes");
  add_model_flags(*command, flags->model);
  command->add_option("--ids", flags->ids, "token ids, separated by commas")->required();
  command->add_flag("--last", flags->last, "the last position only");
  command
      ->add_option(
          "--format", flags->format,
          R"(json: {"heads": {name: rows}}; npy: one .npy array after another, in that order of heads)")
      ->check(CLI::IsMember({"json", "npy"}))
      ->capture_default_str();
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
