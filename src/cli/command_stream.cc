// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <vector>

#include "cli.hpp"
#include "json_out.hpp"
#include "verdict_out.hpp"

namespace qwen3guard::cli {
namespace {

struct StreamFlags {
  ModelFlags model;
  std::string prompt, response, mode = "strict";
  bool json = false;
};

/// One token with what was said of it.
struct TokenLine {
  Role role;
  TokenId id;
  std::string text;
  TokenVerdict verdict;
};

std::string to_json(const TokenLine& token) {
  JsonOut json;
  json.begin_object();
  json.key("role").string(to_string(token.role));
  json.key("index").integer(token.verdict.position);
  json.key("id").integer(token.id);
  json.key("text").string(token.text);
  json.key("severity").string(to_string(token.verdict.severity));
  json.key("probabilities");
  put_probabilities(json, token.verdict.probabilities);
  json.key("category");
  if (token.verdict.severity == Severity::safe) {
    json.null();
  } else {
    json.string(to_string(token.verdict.category));
  }
  json.key("flagged").boolean(token.verdict.flagged);
  json.key("source").string(to_string(token.verdict.source));
  if (token.role == Role::assistant) {
    json.key("byte_begin").integer(token.verdict.byte_begin);
    json.key("byte_end").integer(token.verdict.byte_end);
  }
  json.end_object();
  return json.text();
}

std::string summary(const TokenVerdict& token, bool color) {
  std::string out(color_of(token.severity, color));
  out += to_string(token.severity);
  out += color_off(color);
  if (token.severity != Severity::safe) out += std::string(" (") + to_string(token.category) + ")";
  return out;
}

/// The response as it is written, each token in the colour of its verdict; the place of the decision is
/// marked.
class Writer {
 public:
  Writer(bool json, bool color) : json_(json), color_(color) {}

  void prompt(const TokenLine& token) {
    if (json_) return print_line(to_json(token));
    print_line("prompt:   " + summary(token.verdict, color_));
    print_text("response: ");
  }

  void response(const TokenLine& token) {
    if (json_) return print_line(to_json(token));
    std::string text;
    if (token.verdict.flagged && !was_flagged_) text += color_ ? "\033[1m|\033[0m" : "|";
    was_flagged_ = token.verdict.flagged;
    text += color_of(token.verdict.severity, color_);
    text += token.text;
    text += color_off(color_);
    print_text(text);
  }

  void decision(const Decision& decision) {
    if (json_) return;
    print_text("\ndecision: ");
    if (!decision.token)
      return print_line(std::string(color_of(Severity::safe, color_)) + "Safe" +
                        std::string(color_off(color_)));
    print_line(explain(decision));
  }

 private:
  bool json_, color_, was_flagged_ = false;
};

void run(const StreamFlags& flags) {
  const Guard guard = load_guard(flags.model);
  const Tokenizer& tokenizer = *guard.tokenizer();
  const std::vector<TokenId> ids = tokenizer.encode(flags.response).value();
  StreamOptions options;
  options.policy.mode = parse_mode(flags.mode);
  StreamSession session = guard.open_stream(options).value();

  Writer writer(flags.json, wants_color(stdout));
  const TokenVerdict prompt = session.push_prompt(flags.prompt).value();
  writer.prompt({Role::user, tokenizer.find_added("<|im_end|>").value_or(-1), "<|im_end|>", prompt});
  StreamingDecoder decoder(tokenizer);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    TokenVerdict verdict;
    session.push_tokens({&ids[i], 1}, {&verdict, 1}).throw_if_error();
    std::string text = decoder.push(ids[i]).value();
    if (i + 1 == ids.size()) text += decoder.finish();
    writer.response({Role::assistant, ids[i], std::move(text), verdict});
  }
  writer.decision(session.end_turn().value().decision);
}

}  // namespace

void add_stream_command(CLI::App& app) {
  auto flags = std::make_shared<StreamFlags>();
  CLI::App* command = app.add_subcommand("stream", "judge a response token by token (Stream models)");
  add_model_flags(*command, flags->model);
  command->add_option("--prompt", flags->prompt, "the user's message")->required();
  command->add_option("--response", flags->response, "the assistant's answer, fed one token at a time")
      ->required();
  command
      ->add_option("--mode", flags->mode,
                   "strict: a Controversial decision flags too; loose: only Unsafe does")
      ->check(CLI::IsMember({"strict", "loose"}))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "one JSON object a token");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
