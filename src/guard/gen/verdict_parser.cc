// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/verdict_parser.hpp"

#include <algorithm>
#include <string>

#include "qwen3guard/quote.hpp"

namespace qwen3guard::detail {
namespace {

std::string_view trim(std::string_view s) {
  const auto first = s.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return s.substr(first, s.find_last_not_of(" \t\r\n") - first + 1);
}

/// The rest of the first line that holds `label`, after the label and blanks; empty optional when none does.
std::optional<std::string_view> value_of(std::string_view text, std::string_view label) {
  const auto at = text.find(label);
  if (at == std::string_view::npos) return std::nullopt;
  const std::string_view rest = text.substr(at + label.size());
  return trim(rest.substr(0, rest.find('\n')));
}

/// The severity whose name starts `value`.
std::optional<Severity> leading_severity(std::string_view value) {
  for (const Severity s : {Severity::safe, Severity::controversial, Severity::unsafe}) {
    if (value.starts_with(to_string(s))) return s;
  }
  return std::nullopt;
}

std::vector<Category> read_categories(std::string_view list) {
  std::vector<Category> out;
  while (!list.empty()) {
    const auto comma = list.find(',');
    const auto category = parse_category(trim(list.substr(0, comma)));
    if (category && std::find(out.begin(), out.end(), *category) == out.end()) out.push_back(*category);
    list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  }
  return out;
}

}  // namespace

Result<ParsedVerdict> parse_verdict(std::string_view text, Subject subject) {
  ParsedVerdict out;
  const auto severity_value = value_of(text, "Safety:");
  const auto severity = severity_value ? leading_severity(*severity_value) : std::nullopt;
  if (!severity) {
    return Error{ErrorCode::unparsable_output,
                 "generated text is no verdict; expected \"Safety: Safe|Unsafe|Controversial\" in it, got: " +
                     quote(text)};
  }
  out.severity = *severity;
  if (const auto list = value_of(text, "Categories:"); list && out.severity != Severity::safe) {
    out.categories = read_categories(*list);
  }
  if (const auto refusal = value_of(text, "Refusal:")) {
    if (refusal->starts_with("Yes")) out.refusal = true;
    if (refusal->starts_with("No")) out.refusal = false;
  }
  const bool jailbreak =
      std::find(out.categories.begin(), out.categories.end(), Category::jailbreak) != out.categories.end();
  const bool is_response = subject == Subject::response;
  out.well_formed = out.refusal.has_value() == is_response && !(is_response && jailbreak) &&
                    out.categories.empty() == (out.severity == Severity::safe) && format_verdict(out) == text;
  return out;
}

std::string format_verdict(const ParsedVerdict& verdict) {
  std::string text = std::string("Safety: ") + to_string(verdict.severity) + "\nCategories: ";
  if (verdict.categories.empty()) text += "None";
  for (std::size_t i = 0; i < verdict.categories.size(); ++i) {
    if (i > 0) text += ", ";
    text += to_string(verdict.categories[i]);
  }
  if (verdict.refusal) text += *verdict.refusal ? "\nRefusal: Yes" : "\nRefusal: No";
  return text;
}

}  // namespace qwen3guard::detail
