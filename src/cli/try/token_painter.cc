// SPDX-License-Identifier: Apache-2.0
#include "cli/try/token_painter.hpp"

#include <algorithm>

#include "cli/color.hpp"
#include "cli/errors.hpp"

namespace qwen3guard::cli {
namespace {

std::string_view opening_bracket(Severity severity) {
  switch (severity) {
    case Severity::not_judged:
      return "[?: ";
    case Severity::safe:
      return "";
    case Severity::controversial:
      return "[C: ";
    case Severity::unsafe:
      return "[U: ";
  }
  return "[?: ";
}

/// What must not look better than it is: not judged is worse than Safe, and less than what was found.
Severity worse_shown(Severity a, Severity b) {
  if (a != Severity::not_judged && b != Severity::not_judged) return std::max(a, b);
  const Severity other = a == Severity::not_judged ? b : a;
  return other == Severity::safe ? Severity::not_judged : other;
}

}  // namespace

void TokenPainter::close() {
  if (open_ != Severity::safe) screen_.write("]");
  open_ = Severity::safe;
}

void TokenPainter::paint(Severity severity, std::string_view text) {
  waiting_ = worse_shown(waiting_, severity);
  if (text.empty()) return;
  const Severity shown = waiting_;
  waiting_ = Severity::safe;
  std::string out;
  if (screen_.color) {
    out += color_of(shown, true);
    out += escaped(text);
    out += color_off(true);
  } else {
    if (shown != open_) {
      close();
      out += opening_bracket(shown);
      open_ = shown;
    }
    out += escaped(text);
  }
  screen_.write(out);
}

void TokenPainter::mark_block() {
  if (!screen_.color) close();
  screen_.write(std::string(bold_on(screen_.color)) + "|" + std::string(color_off(screen_.color)));
}

void TokenPainter::finish() {
  close();
  waiting_ = Severity::safe;
}

std::string legend(const Screen& screen) {
  std::string out;
  for (const Severity severity :
       {Severity::safe, Severity::controversial, Severity::unsafe, Severity::not_judged}) {
    if (!out.empty()) out += ' ';
    out += screen.color ? color_of(severity, true) : opening_bracket(severity);
    out += to_string(severity);
    out += screen.color ? color_off(true) : severity == Severity::safe ? "" : "]";
  }
  return out;
}

}  // namespace qwen3guard::cli
