// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "cli.hpp"
#include "json_lines.hpp"
#include "json_out.hpp"

namespace qwen3guard::cli {
namespace {

struct TokenizeFlags {
  std::string model;
  bool no_special = false, decode = false;
};

/// A folder needs only its tokenizer files here, so the model is not loaded.
Tokenizer load_tokenizer(const std::string& model) {
  if (is_path(model) && !is_packed_name(model)) return Tokenizer::load(model).value();
  ModelFlags flags;
  flags.model = model;
  return *load_guard(flags).tokenizer();
}

std::vector<TokenId> read_ids(simdjson::dom::element line, const JsonLines& lines) {
  simdjson::dom::element value = line;
  if (simdjson::dom::element ids; line["ids"].get(ids) == simdjson::SUCCESS) value = ids;
  simdjson::dom::array items;
  if (value.get(items) != simdjson::SUCCESS) throw UsageError(lines.at("expected {\"ids\":[...]} or [...]"));
  std::vector<TokenId> out;
  for (const simdjson::dom::element item : items) {
    std::int64_t id = 0;
    if (item.get(id) != simdjson::SUCCESS || id < INT32_MIN || id > INT32_MAX) {
      throw UsageError(lines.at("ids[" + std::to_string(out.size()) + "] is not a token id"));
    }
    out.push_back(static_cast<TokenId>(id));
  }
  return out;
}

std::string encode_line(const Tokenizer& tokenizer, simdjson::dom::element line, const JsonLines& lines,
                        SpecialTokens mode) {
  std::string_view text;
  if (line.get(text) != simdjson::SUCCESS) throw UsageError(lines.at("expected a JSON string"));
  JsonOut json;
  json.begin_object();
  json.key("ids").begin_array();
  for (const TokenId id : tokenizer.encode(text, mode).value()) json.integer(id);
  json.end_array();
  json.end_object();
  return json.text();
}

void run(const TokenizeFlags& flags) {
  const Tokenizer tokenizer = load_tokenizer(flags.model);
  const SpecialTokens mode = flags.no_special ? SpecialTokens::as_text : SpecialTokens::recognized;
  JsonLines lines(stdin);
  simdjson::dom::element line;
  while (lines.next(line)) {
    if (!flags.decode) {
      print_line(encode_line(tokenizer, line, lines, mode));
      continue;
    }
    const auto text = tokenizer.decode(read_ids(line, lines), flags.no_special);
    if (!text.ok()) throw UsageError(lines.at(text.error().detail));
    print_line(JsonOut().string(*text).text());
  }
}

}  // namespace

void add_tokenize_command(CLI::App& app) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command =
      app.add_subcommand("tokenize", "text to token ids and back: one JSON value a line on standard input");
  command
      ->add_option("--model", flags->model,
                   "an embedded model's name, or a folder with tokenizer.json (a path with a slash)")
      ->required();
  command->add_flag("--no-special", flags->no_special,
                    "control tokens in the text are plain text (with --decode: leave them out)");
  command->add_flag("--decode", flags->decode,
                    "ids to text: {\"ids\":[...]} a line in, a JSON string a line out");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
