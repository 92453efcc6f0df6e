// SPDX-License-Identifier: Apache-2.0
#include "verdict_text.hpp"

#include <array>
#include <cstdio>

#include "color.hpp"

namespace qwen3guard::cli {
namespace {

std::string percent(float p) {
  std::array<char, 16> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.1f %%", static_cast<double>(p) * 100.0);
  return buffer.data();
}

}  // namespace

std::string ruling_to_text(const Ruling& ruling) {
  std::string out = std::string("action: ") + to_string(ruling.action);
  if (ruling.rule == Rule::none || ruling.rule == Rule::safe || ruling.rule == Rule::severity) return out;
  out += std::string(" (") + to_string(ruling.rule);
  if (ruling.category) out += std::string(", ") + to_string(*ruling.category);
  if (ruling.phrase >= 0)
    out += ", phrase " + std::to_string(ruling.phrase) + ", bytes " + std::to_string(ruling.byte_begin) +
           " to " + std::to_string(ruling.byte_end);
  return out + ")";
}

std::string verdict_to_text(const Verdict& verdict, bool color) {
  std::string out(color_of(verdict.severity, color));
  out += to_string(verdict.severity);
  out += color_off(color);
  if (verdict.severity != Severity::not_judged)
    out += " (safe " + percent(verdict.probabilities.safe) + ", controversial " +
           percent(verdict.probabilities.controversial) + ", unsafe " +
           percent(verdict.probabilities.unsafe) + ")";
  out += ", " + ruling_to_text(verdict.ruling);
  if (!verdict.categories.empty()) {
    out += "\n  categories: ";
    for (std::size_t i = 0; i < verdict.categories.size(); ++i) {
      if (i > 0) out += ", ";
      out += to_string(verdict.categories[i].category);
      out += " (" + percent(verdict.categories[i].probability) + ")";
    }
  }
  if (verdict.refusal) {
    out += std::string("\n  refusal: ") + (verdict.refusal->value ? "yes" : "no") + " (" +
           percent(verdict.refusal->probability) + ")";
  }
  if (verdict.window) {
    const VerdictWindow& window = *verdict.window;
    out += "\n  the worst of " + std::to_string(window.n_windows) + " windows: number " +
           std::to_string(window.index + 1) + ", bytes " + std::to_string(window.byte_begin) + " to " +
           std::to_string(window.byte_end);
  }
  if (verdict.is_of_folded_copy) out += "\n  of the folded copy, which is the worse one";
  if (!verdict.dropped_messages.empty()) {
    out += "\n  not seen, dropped by the model's template: ";
    for (std::size_t i = 0; i < verdict.dropped_messages.size(); ++i)
      out += (i > 0 ? ", messages[" : "messages[") + std::to_string(verdict.dropped_messages[i]) + "]";
  }
  return out;
}

}  // namespace qwen3guard::cli
