// SPDX-License-Identifier: Apache-2.0
#include <charconv>
#include <memory>
#include <string>
#include <vector>

#include "cli.hpp"
#include "input_lines.hpp"
#include "wire/fields_in.hpp"
#include "wire/json_out.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::cli {
namespace {

struct TokenizeFlags {
  std::string model, export_file;
  bool no_special = false, decode = false, replace_invalid_utf8 = false, force = false;
};

/// A folder needs only its tokenizer files here, so the model is not loaded.
Tokenizer load_tokenizer(const std::string& model) {
  if (is_path(model) && !is_packed_name(model)) return Tokenizer::load(model).value();
  ModelFlags flags;
  flags.model = model;
  return *load_guard(flags).tokenizer();
}

std::vector<TokenId> read_ids(const JsonValue& line) {
  const JsonValue value = line.find("ids").value_or(line);
  if (value.kind() != JsonValue::Kind::array)
    throw LineError(ErrorCode::invalid_argument,
                    std::string(to_string(value.kind())) + R"(; expected {"ids": [1, 2, 3]} or [1, 2, 3])");
  std::vector<TokenId> out;
  for (const JsonValue& item : value.items()) {
    TokenId id = 0;
    const std::string_view digits = item.raw();
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), id);
    if (failed != std::errc() || end != digits.data() + digits.size()) {
      throw LineError(ErrorCode::invalid_argument, "ids[" + std::to_string(out.size()) + "] is " +
                                                       quote(digits) + "; expected a token id");
    }
    out.push_back(id);
  }
  return out;
}

std::string encode_line(const Tokenizer& tokenizer, const std::string& text, const TokenizeFlags& flags) {
  const SpecialTokens mode = flags.no_special ? SpecialTokens::as_text : SpecialTokens::recognized;
  const auto ids = tokenizer.encode(text, mode);
  if (!ids.ok()) throw LineError(ids.error().code, ids.error().detail);
  JsonOut json;
  json.begin_output("ids");
  json.key("ids").begin_array();
  for (const TokenId id : *ids) json.integer(id);
  json.end_array();
  json.end_object();
  return json.text();
}

/// The line of output for a line of input. Throws LineError, JsonError.
std::string converted(const Tokenizer& tokenizer, std::string_view line, const TokenizeFlags& flags) {
  const JsonValue json = JsonValue::parse(line);
  if (!flags.decode) {
    const auto policy = flags.replace_invalid_utf8 ? InvalidUtf8::replace : InvalidUtf8::reject;
    return encode_line(tokenizer, with_replacements(read_text(json, "", policy)), flags);
  }
  const auto text = tokenizer.decode(read_ids(json), flags.no_special);
  if (!text.ok()) throw LineError(text.error().code, text.error().detail);
  JsonOut out;
  out.begin_output("text").key("text").string(*text).end_object();
  return out.text();
}

std::string error_line(ErrorCode code, const std::string& message) {
  JsonOut json;
  json.begin_output("error");
  json.key("error").begin_object();
  json.key("code").string(to_string(code));
  json.key("message").string(message);
  json.end_object();
  json.end_object();
  return json.text();
}

void export_to(const Tokenizer& tokenizer, const TokenizeFlags& flags) {
  tokenizer.export_tiktoken(flags.export_file, flags.force).throw_if_error();
  JsonOut json;
  json.begin_output("tiktoken");
  json.key("file").string(flags.export_file);
  json.key("settings_file").string(flags.export_file + ".json");
  json.end_object();
  print_line(json.text());
}

void run(const TokenizeFlags& flags) {
  const Tokenizer tokenizer = load_tokenizer(flags.model);
  if (!flags.export_file.empty()) return export_to(tokenizer, flags);
  InputLines lines;
  std::string_view line;
  std::size_t n_lines = 0, n_failed = 0;
  while (lines.next(line)) {
    std::string out;
    ++n_lines;
    try {
      out = converted(tokenizer, line, flags);
    } catch (const JsonError& e) {
      out = error_line(ErrorCode::invalid_argument, lines.at(e.what()));
      ++n_failed;
    } catch (const LineError& e) {
      out = error_line(e.code, lines.at(e.what()));
      ++n_failed;
    }
    print_line(out);
  }
  if (n_failed == 0) return;
  report_failed(n_failed, n_lines);
  throw CLI::RuntimeError(kExitError);
}

}  // namespace

void add_tokenize_command(CLI::App& app) {
  auto flags = std::make_shared<TokenizeFlags>();
  CLI::App* command = app.add_subcommand(
      "tokenize", "text to token ids and back: one JSON string (or array of ids) a line on standard input");
  command
      ->add_option(
          "--model", flags->model,
          "an embedded model's name, or a folder with tokenizer.json, or such a file, or a rank file "
          "*.tiktoken (a path with a slash)")
      ->required();
  command->add_flag("--no-special", flags->no_special,
                    "control tokens in the text are plain text (with --decode: leave them out)");
  command->add_flag("--decode", flags->decode,
                    "ids to text: {\"ids\":[...]} a line in, {\"text\":\"...\"} a line out");
  command->add_flag("--replace-invalid-utf8", flags->replace_invalid_utf8,
                    "encode ill-formed text as U+FFFD instead of failing");
  CLI::Option* const exported = command->add_option(
      "--export-tiktoken", flags->export_file,
      "instead: write the tokenizer as a rank file of the tiktoken package, *.tiktoken, and its "
      "pattern and special tokens beside it, *.tiktoken.json");
  command->add_flag("--force", flags->force, "replace these files when they exist")->needs(exported);
  for (const char* const other : {"--no-special", "--decode", "--replace-invalid-utf8"})
    exported->excludes(command->get_option(other));
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
