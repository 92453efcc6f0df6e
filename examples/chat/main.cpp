// SPDX-License-Identifier: Apache-2.0
// A chat in the terminal with a guard between a host model and its user: prompts are judged before the host
// sees them, answers while they are written; 40 tokens are held back, and what is flagged is thrown away and
// tried again. The user sees what passed, in the colours of its verdicts.
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "guarded_chat.hpp"
#include "model_host.hpp"
#include "scripted_host.hpp"
#include "terminal.hpp"

namespace {

using namespace qwen3guard;

struct Flags {
  std::string guard = "nano-stream", host, script;
  std::vector<std::string> say;
  chat::Settings settings;
  SamplingOptions sampling;
  std::int32_t max_tokens = 400;
  bool color = chat::Terminal::wants_color();
};

constexpr const char* kUsage =
    "usage: chat (--host MODEL | --script FILE) [option...]\n"
    "  --host MODEL       the model that answers: a Qwen3 checkpoint; a name in the library, or a path\n"
    "  --script FILE      answers from a file instead (examples/chat/script.txt)\n"
    "  --guard MODEL      a Qwen3Guard checkpoint, Stream or Gen (default: nano-stream)\n"
    "  --mode MODE        strict (default): Controversial counts as unsafe; loose: it does not\n"
    "  --buffer N         tokens held back (40)     --retries N      tries after the first (5)\n"
    "  --temperature T    (0.7)                     --top-k N        (20)\n"
    "  --top-p P          (0.8)                     --seed N         (0)\n"
    "  --max-tokens N     of one answer (400)       --no-color\n"
    "  --say TEXT         say this, and end; more than once for several turns\n"
    "Without --say it reads lines from standard input until its end.\n";

/// Thrown for arguments that are not understood.
struct BadArguments {
  std::string what;
};

double number(std::string_view name, const std::string& value, double least, double most) {
  char* end = nullptr;
  const double out = std::strtod(value.c_str(), &end);
  if (end == value.c_str() || *end != '\0' || !(out >= least && out <= most))
    throw BadArguments{std::string(name) + ": \"" + value + "\" is not a number in its range"};
  return out;
}

Flags parse(const std::vector<std::string>& arguments) {
  Flags flags;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    if (name == "--no-color") {
      flags.color = false;
      continue;
    }
    if (i + 1 == arguments.size()) throw BadArguments{name + ": not an option, or its value is missing"};
    const std::string& value = arguments[++i];
    if (name == "--host") {
      flags.host = value;
    } else if (name == "--script") {
      flags.script = value;
    } else if (name == "--guard") {
      flags.guard = value;
    } else if (name == "--mode") {
      if (value != "strict" && value != "loose") throw BadArguments{"--mode: expected strict or loose"};
      PolicySpec spec;
      spec.rules.mode = value == "strict" ? Mode::strict : Mode::loose;
      flags.settings.policy = Policy::make(spec).value();
    } else if (name == "--buffer") {
      flags.settings.buffer_tokens = static_cast<std::int32_t>(number(name, value, 0, 1e6));
    } else if (name == "--retries") {
      flags.settings.max_retries = static_cast<std::int32_t>(number(name, value, 0, 1000));
    } else if (name == "--temperature") {
      flags.sampling.temperature = static_cast<float>(number(name, value, 0, 100));
    } else if (name == "--top-k") {
      flags.sampling.top_k = static_cast<std::int32_t>(number(name, value, 0, 1e6));
    } else if (name == "--top-p") {
      flags.sampling.top_p = static_cast<float>(number(name, value, 0, 1));
    } else if (name == "--seed") {
      flags.sampling.seed = static_cast<std::uint64_t>(number(name, value, 0, 1e15));
    } else if (name == "--max-tokens") {
      flags.max_tokens = static_cast<std::int32_t>(number(name, value, 1, 1e6));
    } else if (name == "--say") {
      flags.say.push_back(value);
    } else {
      throw BadArguments{name + ": not an option"};
    }
  }
  if (flags.host.empty() == flags.script.empty())
    throw BadArguments{"expected --host or --script, one of them"};
  return flags;
}

Guard load(const std::string& name) {
  const bool is_path = name.find('/') != std::string::npos || name.find('.') != std::string::npos;
  return (is_path ? Guard::load(name) : Guard::load_embedded(name)).value();
}

std::unique_ptr<chat::Host> make_host(const Flags& flags) {
  if (!flags.host.empty())
    return std::make_unique<chat::ModelHost>(load(flags.host), flags.sampling, flags.max_tokens);
  std::ifstream file(flags.script, std::ios::binary);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  if (!file.is_open()) throw Exception({ErrorCode::file_not_found, flags.script + ": cannot be opened"});
  return std::make_unique<chat::ScriptedHost>(chat::ScriptedHost::parse(text).value());
}

volatile std::sig_atomic_t has_color = 0;

void on_interrupt(int) {
  // The colour back to normal, and gone: nothing needs to be saved.
  std::fputs(has_color != 0 ? "\033[0m\n" : "\n", stdout);
  std::fflush(stdout);
  std::_Exit(130);
}

int run(const Flags& flags) {
  const Guard guard = load(flags.guard);
  const std::unique_ptr<chat::Host> host = make_host(flags);
  chat::GuardedChat chat(guard, *host, flags.settings);
  const chat::Terminal terminal(flags.color);
  const chat::Screen screen{
      [&](std::string_view text, const TokenVerdict& verdict) { terminal.show(text, verdict); },
      [&](std::string_view kept) { terminal.take_back(kept); }};
  const auto exchange = [&](const std::string& prompt) { terminal.figures(chat.say(prompt, screen)); };
  for (const std::string& prompt : flags.say) {
    terminal.ask();
    terminal.echo(prompt);
    exchange(prompt);
  }
  if (!flags.say.empty()) return 0;
  terminal.ask();
  for (std::string line; std::getline(std::cin, line); terminal.ask()) {
    if (!line.empty()) exchange(line);
  }
  terminal.echo("");
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  if (arguments == std::vector<std::string>{"--help"}) return std::fputs(kUsage, stdout), 0;
  try {
    const Flags flags = parse(arguments);
    has_color = flags.color ? 1 : 0;
    std::signal(SIGINT, on_interrupt);
    return run(flags);
  } catch (const BadArguments& e) {
    std::fprintf(stderr, "chat: %s\n%s", e.what.c_str(), kUsage);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "chat: %s\n", e.what());
  }
  return 2;
}
