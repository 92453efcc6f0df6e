// SPDX-License-Identifier: Apache-2.0
#include "qwen3guard/verdict.hpp"

#include "qwen3guard/conversation.hpp"
#include "qwen3guard/options.hpp"

namespace qwen3guard {
namespace {

/// By Severity.
constexpr std::array<const char*, kSeverityCount + 1> kSeverityNames = {"not judged", "Safe", "Controversial",
                                                                        "Unsafe"};

constexpr std::array<const char*, kCategoryCount> kCategoryNames = {"Violent",
                                                                    "Non-violent Illegal Acts",
                                                                    "Sexual Content or Sexual Acts",
                                                                    "PII",
                                                                    "Suicide & Self-Harm",
                                                                    "Unethical Acts",
                                                                    "Politically Sensitive Topics",
                                                                    "Copyright Violation",
                                                                    "Jailbreak"};

constexpr std::string_view kPiiLongName = "Personally Identifiable Information";

template <class Enum, std::size_t n>
const char* name_of(const std::array<const char*, n>& names, Enum value) noexcept {
  const auto i = static_cast<std::size_t>(value);
  return i < n ? names[i] : "unknown";
}

template <class Enum, std::size_t n>
std::optional<Enum> find_name(const std::array<const char*, n>& names, std::string_view text) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    if (text == names[i]) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

}  // namespace

const char* to_string(Severity severity) noexcept { return name_of(kSeverityNames, severity); }
const char* to_string(Category category) noexcept { return name_of(kCategoryNames, category); }

const char* to_string(Action action) noexcept {
  switch (action) {
    case Action::none:
      return "none";
    case Action::allow:
      return "allow";
    case Action::flag:
      return "flag";
    case Action::block:
      return "block";
  }
  return "unknown";
}

const char* to_string(Rule rule) noexcept {
  static constexpr std::array<const char*, 8> kNames = {
      "none", "safe", "severity", "threshold", "below_threshold", "category_off", "deny_list", "not_judged"};
  return name_of(kNames, rule);
}

const char* to_string(Role role) noexcept {
  switch (role) {
    case Role::system:
      return "system";
    case Role::user:
      return "user";
    case Role::assistant:
      return "assistant";
    case Role::tool:
      return "tool";
  }
  return "unknown";
}

std::optional<Severity> parse_severity(std::string_view text) noexcept {
  const auto severity = find_name<Severity>(kSeverityNames, text);
  return severity == Severity::not_judged ? std::nullopt : severity;
}

std::optional<Category> parse_category(std::string_view text) noexcept {
  if (text == kPiiLongName) return Category::pii;
  return find_name<Category>(kCategoryNames, text);
}

const char* to_string(VerdictSource source) noexcept {
  switch (source) {
    case VerdictSource::none:
      return "none";
    case VerdictSource::heads:
      return "heads";
    case VerdictSource::written:
      return "written";
    case VerdictSource::carried:
      return "carried";
  }
  return "unknown";
}

}  // namespace qwen3guard
