// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/figures_text.hpp"

#include <array>
#include <cstddef>
#include <cstdio>

#include "cli/errors.hpp"

namespace qwen3guard::cli {

std::string grouped(std::int64_t n) {
  std::string digits = std::to_string(n);
  constexpr std::ptrdiff_t kGroup = 3;
  const std::ptrdiff_t first = n < 0 ? 1 : 0;
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - kGroup; at > first; at -= kGroup)
    digits.insert(static_cast<std::size_t>(at), 1, ',');
  return digits;
}

std::string counted(std::int64_t n, const std::string& noun) {
  return grouped(n) + " " + noun + (n == 1 ? "" : "s");
}

std::string decimal(double value, int decimals) {
  std::array<char, 64> buffer{};
  std::snprintf(buffer.data(), buffer.size(), "%.*f", decimals, value);
  std::string text = buffer.data();
  const bool is_zero = text.find_first_not_of("-0.") == std::string::npos;
  return is_zero && text.starts_with('-') ? text.substr(1) : text;
}

std::string decimal_or_dash(const std::optional<double>& value) { return value ? decimal(*value, 3) : "-"; }

std::string in_percent(double share) { return decimal(100 * share, 1) + " %"; }

std::string p_value(double p) {
  constexpr double kLeast = 1e-4, kSmall = 1e-3, kMiddle = 0.1;
  if (p < kLeast) return "<0.0001";
  return decimal(p, p < kSmall ? 4 : p < kMiddle ? 3 : 2);
}

std::string bounded_name(const std::string& name) {
  constexpr std::size_t kNameBytes = 25;
  return printable(name, kNameBytes);
}

}  // namespace qwen3guard::cli
