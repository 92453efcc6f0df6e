// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/label_maps.hpp"

#include <algorithm>
#include <charconv>
#include <string>
#include <utility>
#include <vector>

#include "qwen3guard/quote.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

/// More labels than any head has; bounds the work on a hostile file.
constexpr std::size_t kMaxLabels = 64;

/// Without white space and quotes at both ends: some published maps carry stray quotes.
std::string_view unquoted(std::string_view text) {
  constexpr std::string_view kStray = " \t\r\n\"'";
  const std::size_t first = text.find_first_not_of(kStray);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kStray) - first + 1);
}

/// Labels of the map under `key`, by index.
Result<std::vector<std::string>> read_map(const ConfigReader& config, std::string_view key,
                                          std::string_view n_key) {
  Q3G_ASSIGN(const auto object, config.object(key));
  if (!object) return config.error(key, "is missing");
  const std::size_t n = object->size();
  if (n == 0 || n > kMaxLabels) return config.error(key, "has ", n, " entries, expected 1 to ", kMaxLabels);
  Q3G_ASSIGN(const auto count, config.optional_size(n_key, kMaxLabels));
  if (count && *count != n) {
    return config.error(key, "has ", n, " entries, but ", quote(n_key), " is ", *count);
  }
  std::vector<std::string> labels(n);
  for (const auto& [raw_index, value] : *object) {
    const std::string_view digits = unquoted(raw_index);
    std::size_t index = n;
    const auto [end, failed] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
    if (failed != std::errc() || end != digits.data() + digits.size() || index >= n) {
      return config.error(key, "has the index ", quote(raw_index), ", expected 0 to ", n - 1);
    }
    std::string_view label;
    if (value.get(label) != simdjson::SUCCESS || unquoted(label).empty())
      return config.error(key, "maps index ", index, " to ", json_text(value), ", not to a label");
    if (!labels[index].empty()) return config.error(key, "has the index ", index, " twice");
    labels[index] = unquoted(label);
  }
  return labels;
}

/// Each label as its enumerator; none twice.
template <class Enum, class Parse>
Result<std::vector<Enum>> to_enums(const ConfigReader& config, std::string_view key,
                                   const std::vector<std::string>& labels, const Parse& parse) {
  std::vector<Enum> values;
  for (const std::string& label : labels) {
    const auto value = parse(label);
    if (!value)
      return config.unsupported(key, "has the label ", quote(label), ", which the policy does not know");
    if (std::find(values.begin(), values.end(), *value) != values.end())
      return config.error(key, "has the label ", quote(label), " twice");
    values.push_back(*value);
  }
  return values;
}

}  // namespace

Result<HeadLabels> read_labels(const ConfigReader& config, const LabelKeys& keys) {
  HeadLabels labels;
  Q3G_ASSIGN(const auto risk, read_map(config, keys.risk_map, keys.n_risk));
  Q3G_ASSIGN(labels.risk, to_enums<Severity>(config, keys.risk_map, risk, parse_severity));
  if (labels.risk.size() != kSeverityCount) {
    return config.error(keys.risk_map, "has ", labels.risk.size(),
                        " entries, expected Safe, Unsafe and Controversial");
  }
  Q3G_ASSIGN(const auto category, read_map(config, keys.category_map, keys.n_category));
  Q3G_ASSIGN(labels.category, to_enums<Category>(config, keys.category_map, category, parse_category));
  return labels;
}

}  // namespace qwen3guard::detail
