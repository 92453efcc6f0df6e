// SPDX-License-Identifier: Apache-2.0
#include "color.hpp"

#include <cstdlib>

#include "platform.hpp"

namespace qwen3guard::cli {

bool wants_color(std::FILE* stream) {
  const char* no_color = std::getenv("NO_COLOR");
  const char* term = std::getenv("TERM");
  if (no_color != nullptr && *no_color != '\0') return false;
  if (term != nullptr && std::string_view(term) == "dumb") return false;
  return is_terminal(stream);
}

std::string_view color_of(Severity severity, bool color) {
  if (!color) return "";
  switch (severity) {
    case Severity::not_judged:
      return "\033[35m";
    case Severity::safe:
      return "\033[32m";
    case Severity::controversial:
      return "\033[33m";
    case Severity::unsafe:
      return "\033[31m";
  }
  return "";
}

std::string_view color_off(bool color) { return color ? "\033[0m" : ""; }

std::string_view bold_on(bool color) { return color ? "\033[1m" : ""; }

}  // namespace qwen3guard::cli
