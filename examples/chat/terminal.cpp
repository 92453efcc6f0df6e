// SPDX-License-Identifier: Apache-2.0
#include "terminal.hpp"

#include <cstdio>
#include <cstdlib>
#include <string>

#ifdef _WIN32
#include <io.h>
#else
#include <unistd.h>
#endif

namespace chat {

using namespace qwen3guard;

namespace {

void write(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

const char* color_of(const TokenVerdict& verdict) {
  if (verdict.severity == Severity::unsafe) return "\033[31m";
  if (verdict.severity == Severity::controversial) return "\033[33m";
  return "";
}

}  // namespace

bool Terminal::wants_color() {
#ifdef _WIN32
  const bool is_terminal = _isatty(1) != 0;
#else
  const bool is_terminal = isatty(1) != 0;
#endif
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  return is_terminal && (no_color == nullptr || *no_color == '\0') &&
         (term == nullptr || std::string_view(term) != "dumb");
}

void Terminal::ask() const { write(color_ ? "\033[1myou>\033[0m " : "you> "); }
void Terminal::echo(std::string_view prompt) const { write(std::string(prompt) + "\n"); }

void Terminal::show(std::string_view text, const TokenVerdict& verdict) const {
  const std::string_view color = color_ ? color_of(verdict) : "";
  write(color);
  write(text);
  if (!color.empty()) write("\033[0m");
}

void Terminal::take_back(std::string_view kept) const {
  write(color_ ? "\n\033[2m[taken back]\033[0m\n" : "\n[taken back]\n");
  write(kept);
}

void Terminal::figures(const Outcome& outcome) const {
  char line[256];
  if (outcome.prompt_was_refused) {
    std::snprintf(line, sizeof line, "prompt: %s (%s); guard %.1f ms", to_string(outcome.prompt.severity),
                  to_string(outcome.prompt.category), outcome.guard_ms);
  } else {
    const HoldBackStats& stats = outcome.stats;
    std::snprintf(
        line, sizeof line,
        "%lld tokens shown, %zu discarded in %d retries%s, %zu before the first was shown; guard %.1f ms",
        static_cast<long long>(stats.shown_tokens), outcome.n_discarded_tokens, stats.n_retries,
        outcome.gave_up ? ", gave up" : "", outcome.n_wait_tokens, outcome.guard_ms);
  }
  write(std::string("\n") + (color_ ? "\033[2m" : "") + "[" + line + "]" + (color_ ? "\033[0m" : "") + "\n");
}

}  // namespace chat
