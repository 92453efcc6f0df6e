// SPDX-License-Identifier: Apache-2.0
#include "cli/try/dialogue.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <new>
#include <utility>

#include "cli/color.hpp"
#include "cli/errors.hpp"
#include "cli/try/judgement.hpp"
#include "cli/try/token_painter.hpp"
#include "wire/utf8_text.hpp"

namespace qwen3guard::cli {
namespace {

constexpr std::string_view kBlanks = " \t\r";

enum class TryCommand { assistant, user, reset, model, help, quit };

struct CommandName {
  std::string_view name;
  TryCommand command;
};

/// Their first letters tell them apart.
constexpr std::array<CommandName, 6> kCommands = {{{"/assistant", TryCommand::assistant},
                                                   {"/user", TryCommand::user},
                                                   {"/reset", TryCommand::reset},
                                                   {"/model", TryCommand::model},
                                                   {"/help", TryCommand::help},
                                                   {"/quit", TryCommand::quit}}};

std::optional<TryCommand> find_command(std::string_view word) {
  for (const CommandName& one : kCommands) {
    if (word.size() > 1 && one.name.starts_with(word)) return one.command;
  }
  return std::nullopt;
}

bool has_only_blanks(std::string_view text) {
  return text.find_first_not_of(kBlanks) == std::string_view::npos;
}

bool is_in_library(const std::optional<TryModel>& model) {
  const auto names = Guard::embedded_models();
  return model && std::find(names.begin(), names.end(), model->name) != names.end();
}

}  // namespace

void TryModels::set(TryModel model) {
  (model.guard.kind() == ModelKind::gen ? gen : stream) = std::move(model);
}

Dialogue::Dialogue(TryModels models, Load load, Screen screen, std::shared_ptr<CancelFlag> cancel)
    : models_(std::move(models)),
      load_(std::move(load)),
      screen_(std::move(screen)),
      cancel_(std::move(cancel)) {}

void Dialogue::say(std::string_view line) const { screen_.write("  " + std::string(line) + "\n"); }

void Dialogue::complain(std::string_view what) {
  was_interrupted_ = false;
  say("error: " + std::string(what));
}

void Dialogue::greet() const {
  screen_.write("Type a text and press Enter to have it judged.\n");
  list_models();
  say("/assistant TEXT judges an answer to it. /help, /quit");
  if (models_.stream) say("Tokens of an answer: " + legend(screen_));
  if (is_in_library(models_.gen) || is_in_library(models_.stream))
    say("Models of the library are small demonstrations: they make mistakes.");
  screen_.write("\n");
}

std::string Dialogue::prompt() const {
  std::string out(bold_on(screen_.color));
  if (is_answer_next_) {
    out += "assistant>";
  } else {
    const auto n_answers = std::count_if(messages_.begin(), messages_.end(),
                                         [](const Message& one) { return one.role == Role::assistant; });
    out += n_answers == 0 ? "you>" : "you (" + std::to_string(n_answers + 1) + ")>";
  }
  out += color_off(screen_.color);
  return out + " ";
}

void Dialogue::list_models() const {
  if (models_.gen) say("Gen     " + escaped(models_.gen->name) + ": a verdict on each text");
  if (models_.stream)
    say("Stream  " + escaped(models_.stream->name) + ": the same, and an answer token by token");
}

void Dialogue::help() const {
  say("TEXT             judge it as a user's message");
  say("/assistant TEXT  judge it as the answer; alone: the next line is one");
  say("/user TEXT       the same as TEXT, which may begin with /");
  say("/reset           begin a new conversation");
  say("/model NAME      judge by this one; alone: which there are");
  say("/help, /quit     first letters are enough; Ctrl-D leaves, too");
  say("Ctrl-C           clears the line or stops judging; twice, it leaves");
  screen_.write("\n");
  say("A text takes the place of the one before until that has an answer;");
  say("then the next one goes on with the conversation.");
  if (!models_.stream) return;
  say("Tokens of an answer: " + legend(screen_));
  say("Two harmful ones in a row decide; from | on it would be blocked.");
}

void Dialogue::load_model(const std::string& name) {
  try {
    say("loading " + escaped(name) + " ...");
    models_.set({name, load_(name)});
    list_models();
  } catch (const std::bad_alloc&) {
    say("error: not enough memory for this model");
  } catch (const std::exception& e) {
    say("error: " + escaped(e.what()));
  }
}

void Dialogue::judge(Role role, std::string_view text) {
  std::vector<Message> messages = messages_;
  if (!messages.empty() && messages.back().role == role) messages.pop_back();
  if (role == Role::assistant && messages.empty())
    return say("error: there is nothing to answer yet; first type a user's message");
  messages.push_back({role, std::string(text)});
  bool is_judged = false;
  if (models_.gen) is_judged = show_verdict(models_.gen->guard, messages, cancel_, screen_);
  if (models_.stream) {
    // What was stopped already needs no more than a line that says so.
    const auto show = role == Role::user || cancel_->is_cancelled() ? show_verdict : show_tokens;
    is_judged = show(models_.stream->guard, messages, cancel_, screen_) || is_judged;
  }
  if (is_judged && !cancel_->is_cancelled()) {
    messages_ = std::move(messages);
    is_answer_next_ = false;
  } else {
    say("This text is left out of the conversation.");
  }
}

Dialogue::Next Dialogue::run_command(std::string_view line) {
  const std::size_t word_end = std::min(line.find_first_of(kBlanks), line.size());
  const std::string_view word = line.substr(0, word_end);
  std::string_view rest = line.substr(word_end);
  rest.remove_prefix(std::min(rest.find_first_not_of(kBlanks), rest.size()));
  const auto command = find_command(word);
  if (!command) {
    say("error: no command " + quote(word, 40) + "; /help lists them, and /user TEXT is for such a text");
    return Next::go_on;
  }
  switch (*command) {
    case TryCommand::assistant:
      if (!rest.empty()) {
        judge(Role::assistant, rest);
      } else if (messages_.empty()) {
        say("error: there is nothing to answer yet; first type a user's message");
      } else {
        is_answer_next_ = true;
      }
      break;
    case TryCommand::user:
      is_answer_next_ = false;
      if (!rest.empty()) judge(Role::user, rest);
      break;
    case TryCommand::reset:
      messages_.clear();
      is_answer_next_ = false;
      say("A new conversation.");
      break;
    case TryCommand::model: {
      while (!rest.empty() && kBlanks.find(rest.back()) != std::string_view::npos) rest.remove_suffix(1);
      if (!rest.empty()) {
        load_model(std::string(rest));
        break;
      }
      list_models();
      std::string names;
      for (const std::string& name : Guard::embedded_models()) names += (names.empty() ? "" : ", ") + name;
      say("In the library: " + (names.empty() ? "none" : names));
      say("A checkpoint's folder, with a slash, or a packed file will do, too.");
      break;
    }
    case TryCommand::help:
      help();
      break;
    case TryCommand::quit:
      return Next::leave;
  }
  return Next::go_on;
}

Dialogue::Next Dialogue::take(std::string_view line) {
  was_interrupted_ = false;
  while (line.ends_with('\r')) line.remove_suffix(1);
  if (has_only_blanks(line)) return Next::go_on;
  if (const auto offset = find_ill_formed(line)) {
    complain("this is not UTF-8 (byte " + std::to_string(*offset) +
             "), so it was not judged; is the terminal set to another encoding?");
    return Next::go_on;
  }
  Next next = Next::go_on;
  if (line.front() == '/') {
    next = run_command(line);
  } else {
    judge(is_answer_next_ ? Role::assistant : Role::user, line);
  }
  if (cancel_->is_cancelled()) {
    cancel_->reset();
    note_interrupt();
  }
  return next;
}

void Dialogue::note_interrupt() {
  was_interrupted_ = true;
  is_answer_next_ = false;
  say("Ctrl-C again, Ctrl-D or /quit leaves.");
}

Dialogue::Next Dialogue::interrupt() {
  if (was_interrupted_) return Next::leave;
  note_interrupt();
  return Next::go_on;
}

}  // namespace qwen3guard::cli
