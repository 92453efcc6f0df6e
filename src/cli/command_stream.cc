// SPDX-License-Identifier: Apache-2.0
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli.hpp"
#include "cli/verdict_text.hpp"
#include "decision_flags.hpp"
#include "input_lines.hpp"
#include "platform.hpp"
#include "settled_tokens.hpp"
#include "wire/json_out.hpp"
#include "wire/stream_out.hpp"

namespace qwen3guard::cli {
namespace {

struct StreamFlags {
  ModelFlags model;
  DecisionFlags decision;
  std::string prompt, response;
  bool json = false, replace_invalid_utf8 = false;
  CLI::Option* response_option = nullptr;
};

/// One token with what was said of it.
struct TokenLine {
  Role role;
  std::string text;
  TokenVerdict verdict;
};

std::string to_json(const TokenLine& token) {
  JsonOut json;
  json.begin_output("token");
  json.key("role").string(to_string(token.role));
  put_token_fields(json, token.role, token.verdict, token.text);
  json.end_object();
  return json.text();
}

/// What ends a turn. token: the one that decided; null when none did.
std::string to_json(Role role, const Decision& decision, const TokenVerdict* token) {
  JsonOut json;
  json.begin_output("decision");
  json.key("role").string(to_string(role));
  put_decision_fields(json, decision, token);
  json.end_object();
  return json.text();
}

std::string summary(const TokenVerdict& token, bool color) {
  std::string out(color_of(token.severity, color));
  out += to_string(token.severity);
  out += color_off(color);
  if (token.severity > Severity::safe) out += std::string(" (") + to_string(token.category) + ")";
  return out;
}

/// The response as it is written, each token in the colour of its verdict; the place of the decision is
/// marked.
class Writer {
 public:
  Writer(bool json, bool color) : json_(json), color_(color) {}

  void prompt(const TokenLine& token, const Decision& decision) {
    if (json_) {
      print_line(to_json(token));
      return print_line(to_json(Role::user, decision, &token.verdict));
    }
    print_line("prompt:   " + summary(token.verdict, color_) + ", " + ruling_to_text(decision.ruling));
    print_text("response: ");
  }

  void response(const TokenLine& token) {
    if (json_) return print_line(to_json(token));
    std::string text;
    const bool is_blocked = token.verdict.action == Action::block;
    if (is_blocked && !was_blocked_) text += color_ ? "\033[1m|\033[0m" : "|";
    was_blocked_ = is_blocked;
    text += color_of(token.verdict.severity, color_);
    text += escaped(token.text);
    text += color_off(color_);
    print_text(text);
  }

  void decision(const Decision& decision) {
    if (json_)
      return print_line(to_json(Role::assistant, decision, decision.token ? &*decision.token : nullptr));
    print_text("\ndecision: ");
    print_line(std::string(color_of(decision.severity, color_)) + explain(decision) +
               std::string(color_off(color_)));
  }

 private:
  bool json_, color_, was_blocked_ = false;
};

bool is_from_stdin(const StreamFlags& flags) {
  return flags.response_option->count() == 0 || flags.response == "-";
}

/// The response in pieces: an argument as a host's model might write it, standard input as it arrives.
template <class Push>
void each_piece(const StreamFlags& flags, const Push& push) {
  constexpr std::size_t kPieceBytes = 32;
  if (!is_from_stdin(flags)) {
    for (std::string_view rest = flags.response; !rest.empty();) {
      push(rest.substr(0, kPieceBytes));
      rest.remove_prefix(std::min(kPieceBytes, rest.size()));
    }
    return;
  }
  std::array<char, 4096> buffer{};
  std::string beginning;
  for (bool is_begun = false;;) {
    const auto n_read = read_some(buffer.data(), buffer.size());
    if (!n_read) throw UsageError("cannot read standard input");
    const std::size_t n = *n_read;
    std::string_view piece(buffer.data(), n);
    if (!is_begun) {
      piece = beginning += piece;
      is_begun = n == 0 || beginning.size() >= kByteOrderMark.size();
      if (!is_begun) continue;
      refuse_utf16(piece);
      if (piece.starts_with(kByteOrderMark)) piece.remove_prefix(kByteOrderMark.size());
    }
    if (!piece.empty()) push(piece);
    if (n == 0) return;
  }
}

void run(const StreamFlags& flags) {
  if (flags.response_option->count() == 0 && stdin_is_terminal())
    throw UsageError("nothing to judge: give --response TEXT, or the response on standard input");
  const Guard guard = load_guard(flags.model);
  const Tokenizer& tokenizer = *guard.tokenizer();
  StreamOptions options;
  options.policy = policy_of(flags.decision);
  options.thinking = thinking_of(flags.decision);
  options.invalid_utf8 = flags.replace_invalid_utf8 ? InvalidUtf8::replace : InvalidUtf8::reject;
  options.judge_unsettled = false;  // a token that may still change is not shown
  StreamSession session = guard.open_stream(options).value();

  Writer writer(flags.json, wants_color(stdout));
  TokenVerdict prompt = session.push_prompt(flags.prompt).value();
  prompt.id = tokenizer.find_added("<|im_end|>").value_or(-1);
  writer.prompt({Role::user, "<|im_end|>", prompt}, session.prompt_decision());
  SettledTokens response(tokenizer, [&](const TokenVerdict& token, std::string text) {
    writer.response({Role::assistant, std::move(text), token});
  });
  each_piece(flags, [&](std::string_view piece) { response.follow(session.push_text(piece).value()); });
  const Decision decision = session.end_turn().value().decision;
  response.finish(session.verdicts());
  writer.decision(decision);
  if (decision.unjudged_begin < decision.unjudged_end)
    throw UsageError("part of the response was not judged: " + explain(decision));
}

}  // namespace

void add_stream_command(CLI::App& app) {
  auto flags = std::make_shared<StreamFlags>();
  CLI::App* command = app.add_subcommand("stream", "judge a response token by token (Stream models)");
  add_model_flags(*command, flags->model);
  add_template_flags(*command, flags->model);
  command->add_option("--prompt", flags->prompt, "the user's message")->required();
  flags->response_option = command->add_option(
      "--response", flags->response,
      "the assistant's answer; without it, or with -, standard input is judged as it arrives");
  command->add_flag("--replace-invalid-utf8", flags->replace_invalid_utf8,
                    "judge ill-formed bytes as U+FFFD instead of failing");
  add_decision_flags(*command, flags->decision);
  command->add_flag("--json", flags->json,
                    "one JSON object a token, and one with the decision at the end of each turn");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
