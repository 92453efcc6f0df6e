// SPDX-License-Identifier: Apache-2.0
#include <memory>
#include <string>
#include <utility>

#include "cli/cli.hpp"
#include "cli/try/commands.hpp"
#include "cli/try/console.hpp"
#include "cli/try/dialogue.hpp"

namespace qwen3guard::cli {
namespace {

struct TryFlags {
  ModelFlags model;
  std::string stream_model;
  bool no_color = false;
};

Guard load_named(const TryFlags& flags, const std::string& name) {
  ModelFlags model = flags.model;
  model.model = name;
  return load_guard(model);
}

/// Throws UsageError when the model is of the other kind.
TryModel load_kind(const TryFlags& flags, const std::string& name, ModelKind kind) {
  Guard guard = load_named(flags, name);
  if (guard.kind() != kind) {
    throw UsageError(printable(name) + (kind == ModelKind::gen
                                            ? ": a Stream model; give it with --stream-model"
                                            : ": a Gen model; give it with --model"));
  }
  return {name, std::move(guard)};
}

/// Those that were asked for; the library's own when none was.
TryModels load_models(const TryFlags& flags) {
  TryModels models;
  if (!flags.model.model.empty()) models.set(load_kind(flags, flags.model.model, ModelKind::gen));
  if (!flags.stream_model.empty()) models.set(load_kind(flags, flags.stream_model, ModelKind::stream));
  if (models.gen || models.stream) return models;
  if (Guard::embedded_models().empty())
    throw UsageError("this build has no models of its own: give --model or --stream-model");
  models.set(load_kind(flags, "nano-gen", ModelKind::gen));
  models.set(load_kind(flags, "nano-stream", ModelKind::stream));
  return models;
}

/// Until the person leaves. Returns the exit code.
int converse(Console& console, Dialogue& dialogue) {
  dialogue.greet();
  for (std::string line;;) {
    switch (console.read_line(dialogue.prompt(), line)) {
      case Console::Event::line:
        if (dialogue.take(line) == Dialogue::Next::leave) return kExitOk;
        break;
      case Console::Event::cut_line:
        dialogue.complain(
            "a line of this terminal holds " + std::to_string(Console::longest_line_bytes()) +
            " bytes, so the end of this one may be missing, and it was not judged; for long texts there is "
            "qwen3guard classify");
        break;
      case Console::Event::interrupt:
        print_line("");
        if (dialogue.interrupt() == Dialogue::Next::leave) return kExitInterrupted;
        break;
      case Console::Event::end:
        print_line("");
        return kExitOk;
    }
  }
}

void run_try(const TryFlags& flags) {
  if (!Console::is_there())
    throw UsageError(
        "try needs a terminal to read from and to write to; classify --lines judges the lines of standard "
        "input, "
        "stream an answer");
  TryModels models = load_models(flags);
  const auto cancel = std::make_shared<CancelFlag>();
  Console console(cancel);
  const Screen screen = {print_text, !flags.no_color && console.has_escapes() && wants_color(stdout)};
  Dialogue dialogue(
      std::move(models), [&flags](const std::string& name) { return load_named(flags, name); }, screen,
      cancel);
  const int exit_code = converse(console, dialogue);
  if (exit_code != kExitOk) throw CLI::RuntimeError(exit_code);
}

}  // namespace

void add_try_command(CLI::App& app) {
  auto flags = std::make_shared<TryFlags>();
  CLI::App* command = app.add_subcommand(
      "try", "type texts at the terminal and see them judged (the same as no command at a terminal)");
  add_model_flags(*command, flags->model);
  command->get_option("--model")->required(false)->description(
      "the Gen model, which writes verdicts: an embedded model's name, or a path with a slash or .q3g at "
      "its end; without this and the next: nano-gen and nano-stream");
  command->add_option("--stream-model", flags->stream_model, "the Stream model, which judges each token");
  add_template_flags(*command, flags->model);
  command->add_flag("--no-color", flags->no_color, "brackets in the place of colours (and so does NO_COLOR)");
  command->callback([flags] { run_try(*flags); });
}

}  // namespace qwen3guard::cli
