// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cli.hpp"
#include "cli/verdict_text.hpp"
#include "decision_flags.hpp"
#include "input_lines.hpp"
#include "wire/conversation_in.hpp"
#include "wire/verdict_out.hpp"

namespace qwen3guard::cli {
namespace {

struct ClassifyFlags {
  ModelFlags model;
  DecisionFlags decision;
  std::string prompt, response, decode = "constrained";
  std::optional<std::string> dropped, long_text;
  bool replace_invalid_utf8 = false, json = false, lines = false, token_verdicts = false;
  std::size_t batch = 1;
  CLI::Option* prompt_option = nullptr;
  CLI::Option* response_option = nullptr;
};

ClassifyOptions to_options(const ClassifyFlags& flags) {
  ClassifyOptions options;
  options.decoder = flags.decode == "greedy" ? Decoder::greedy : Decoder::constrained;
  options.policy = policy_of(flags.decision);
  options.thinking = thinking_of(flags.decision);
  options.keep_token_verdicts = flags.token_verdicts;
  if (flags.dropped)
    options.dropped_messages = *flags.dropped == "reject" ? DroppedMessages::reject : DroppedMessages::report;
  if (flags.long_text)
    options.long_text = *flags.long_text == "windows" ? LongText::windows : LongText::error;
  options.invalid_utf8 = flags.replace_invalid_utf8 ? InvalidUtf8::replace : InvalidUtf8::reject;
  return options;
}

/// A conversation that could not be judged still gets its line, so that output and input stay in step.
void report_error(const ClassifyFlags& flags, const Policy& policy, const std::string& id_json,
                  ErrorCode code, const std::string& message) {
  if (!flags.json) return print_line("error: " + escaped(message));
  print_line(error_to_json(rule_unjudged(policy), id_json, {code, message}));
}

void print_verdict(const ClassifyFlags& flags, const Verdict& verdict, const std::string& id_json) {
  print_line(flags.json ? verdict_to_json(verdict, id_json) : verdict_to_text(verdict, wants_color(stdout)));
}

/// A line that was read: a conversation, or what is wrong with it.
struct Line {
  std::string id = "null", where;  // where: "line 7: "
  std::vector<Message> messages;
  std::optional<Error> error;
};

/// Fills `out` from a line of text: a prompt, or a JSON object.
void read_line(const ClassifyFlags& flags, std::string_view text, std::size_t number, Line& out) {
  if (flags.lines) {
    out.id = std::to_string(number);
    out.messages.push_back({Role::user, std::string(text)});
    return;
  }
  const InvalidUtf8 policy = flags.replace_invalid_utf8 ? InvalidUtf8::replace : InvalidUtf8::reject;
  try {
    const JsonValue json = JsonValue::parse(text);
    out.id = read_id(json, policy);
    out.messages = read_conversation(json, policy);
  } catch (const JsonError& e) {
    out.error = Error{ErrorCode::invalid_argument, e.what()};
  } catch (const LineError& e) {
    out.error = Error{e.code, e.what()};
  }
}

/// Judges the lines, together when there are several, and prints a line for each. Returns how many failed.
std::size_t judge_lines(const Guard& guard, const ClassifyFlags& flags, const ClassifyOptions& options,
                        std::vector<Line>& lines) {
  std::vector<std::vector<Message>> conversations;
  for (Line& line : lines) {
    if (!line.error) conversations.push_back(std::move(line.messages));
  }
  std::vector<Result<Verdict>> verdicts;
  if (conversations.size() == 1) {
    verdicts.push_back(guard.classify(conversations.front(), options));
  } else {
    verdicts = guard.classify_batch(conversations, options);
  }
  std::size_t n_failed = 0;
  auto verdict = verdicts.begin();
  for (const Line& line : lines) {
    if (!line.error && verdict->ok()) {
      print_verdict(flags, **verdict, line.id);
    } else {
      ++n_failed;
      const Error& error = line.error ? *line.error : verdict->error();
      report_error(flags, options.policy, line.id, error.code, line.where + error.detail);
    }
    if (!line.error) ++verdict;
  }
  lines.clear();
  return n_failed;
}

/// Standard input, line by line. Returns the number of lines that failed.
std::size_t classify_lines(const Guard& guard, const ClassifyFlags& flags, const ClassifyOptions& options) {
  const bool show_progress = wants_color(stderr) && !wants_color(stdout);
  InputLines input;
  std::vector<Line> lines;
  std::size_t n_done = 0, n_failed = 0, n_shown = 0;
  for (bool more = true; more;) {
    std::string_view text;
    more = input.next(text);
    if (more) {
      lines.emplace_back().where = input.at("");
      read_line(flags, text, input.number(), lines.back());
      ++n_done;
    }
    if (lines.size() >= flags.batch || !more) n_failed += judge_lines(guard, flags, options, lines);
    if (show_progress && n_done >= n_shown + 16) {
      std::fprintf(stderr, "\r%zu conversations judged", n_done);
      n_shown = n_done;
    }
  }
  if (show_progress && n_done >= 16) std::fprintf(stderr, "\r%zu conversations judged\n", n_done);
  if (n_failed > 0) report_failed(n_failed, n_done);
  return n_failed;
}

void run(const ClassifyFlags& flags) {
  if (flags.prompt_option->count() == 0) {
    if (flags.response_option->count() > 0) throw UsageError("--response needs the --prompt that it answers");
    if (stdin_is_terminal())
      throw UsageError(
          "nothing to judge: give --prompt TEXT, or on standard input conversations as JSON lines, or "
          "prompts "
          "as lines of text (--lines)");
  }
  const ClassifyOptions options = to_options(flags);
  const Guard guard = load_guard(flags.model);
  if (flags.prompt_option->count() == 0) {
    if (classify_lines(guard, flags, options) > 0) throw CLI::RuntimeError(kExitError);
    return;
  }
  const auto verdict = flags.response_option->count() > 0
                           ? guard.classify_response(flags.prompt, flags.response, options)
                           : guard.classify_prompt(flags.prompt, options);
  print_verdict(flags, verdict.value(), "null");
}

}  // namespace

void add_classify_command(CLI::App& app) {
  auto flags = std::make_shared<ClassifyFlags>();
  CLI::App* command = app.add_subcommand("classify", "judge the last message of conversations");
  add_model_flags(*command, flags->model);
  add_template_flags(*command, flags->model);
  flags->prompt_option = command->add_option("--prompt", flags->prompt,
                                             "the user's message; without it, conversations are read from "
                                             "standard input, one a line: " +
                                                 std::string(kConversationForm));
  flags->response_option = command->add_option(
      "--response", flags->response, "the assistant's answer to --prompt; it is what is judged then");
  command->add_option("--decode", flags->decode, "how a Gen model's verdict is read")
      ->check(CLI::IsMember({"constrained", "greedy"}))
      ->capture_default_str();
  add_decision_flags(*command, flags->decision);
  command->add_flag("--lines", flags->lines, "standard input is text, and each line of it a user's message")
      ->excludes(flags->prompt_option)
      ->excludes(flags->response_option);
  command
      ->add_option("--long-text", flags->long_text,
                   "a last message that does not fit the model's context: an error, or judged in overlapping "
                   "windows, of which the worst counts (default: as the policy says)")
      ->check(CLI::IsMember({"error", "windows"}));
  command
      ->add_option("--dropped-messages", flags->dropped,
                   "messages that a Gen model's template leaves out (an assistant's first, a system's in the "
                   "middle, tools'): report them in the verdict, or reject the conversation (default: the "
                   "policy's, report)")
      ->check(CLI::IsMember({"report", "reject"}));
  command->add_flag("--replace-invalid-utf8", flags->replace_invalid_utf8,
                    "judge ill-formed bytes as U+FFFD instead of failing");
  command
      ->add_option("--batch", flags->batch,
                   "conversations to judge together: more a second, and each waits for the others")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str();
  command->add_flag("--json", flags->json, "one JSON object a line");
  command->add_flag(
      "--token-verdicts", flags->token_verdicts,
      "with --json, Stream models: the tokens' verdicts, too, from which another policy can rule");
  command->callback([flags] { run(*flags); });
}

}  // namespace qwen3guard::cli
