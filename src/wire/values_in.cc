// SPDX-License-Identifier: Apache-2.0
#include "wire/values_in.hpp"

#include <simdjson.h>

#include <charconv>
#include <limits>

#include "qwen3guard/quote.hpp"
#include "wire/fields_in.hpp"

namespace qwen3guard::wire {

void fail_unlike(const std::string& where, const JsonValue& value, const char* expected) {
  constexpr std::size_t kMaxShownBytes = 40;
  fail(where, printable(value.raw(), kMaxShownBytes) + "; expected " + expected);
}

JsonValue member(const JsonValue& object, const std::string& where, const char* key) {
  const auto found = object.find(key);
  if (!found) fail(where.empty() ? key : where + "." + key, "missing; expected what this program prints");
  return *found;
}

std::optional<JsonValue> find_known(const JsonValue& object, const char* key) {
  const auto found = object.find(key);
  if (!found || found->kind() == JsonValue::Kind::null) return std::nullopt;
  return found;
}

std::vector<JsonValue> read_items(const JsonValue& line, const char* key) {
  const auto found = line.find(key);
  if (!found) return {};
  if (found->kind() != JsonValue::Kind::array) fail_unlike(key, *found, "an array");
  return found->items();
}

double read_number(const JsonValue& value, const std::string& where, double min, double max,
                   const char* expected) {
  simdjson::dom::parser parser;
  double number = 0;
  if (value.kind() != JsonValue::Kind::number ||
      parser.parse(value.raw().data(), value.raw().size()).get(number) != simdjson::SUCCESS ||
      !(number >= min && number <= max))
    fail_unlike(where, value, expected);
  return number;
}

float read_probability(const JsonValue& object, const std::string& where, const char* key) {
  return static_cast<float>(read_number(member(object, where, key), where + "." + key, 0, 1, "0 to 1"));
}

std::int32_t read_integer(const JsonValue& value, const std::string& where) {
  constexpr std::int32_t kLargest = std::numeric_limits<std::int32_t>::max();
  const std::string_view text = value.raw();
  std::int32_t number = 0;
  const auto [end, failed] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failed == std::errc() && end == text.data() + text.size() && number >= -1) return number;
  // 1e3 and 5.0 are whole numbers, too.
  const double other = read_number(value, where, -1, kLargest, "a whole number");
  if (other != static_cast<double>(static_cast<std::int32_t>(other)))
    fail_unlike(where, value, "a whole number");
  return static_cast<std::int32_t>(other);
}

bool read_boolean(const JsonValue& value, const std::string& where) {
  if (value.kind() != JsonValue::Kind::boolean) fail_unlike(where, value, "true or false");
  return value.raw() == "true";
}

Role read_judged_role(const JsonValue& line) {
  const JsonValue role = member(line, "", "role");
  const std::string name = role.kind() == JsonValue::Kind::string ? role.text() : "";
  if (name != "user" && name != "assistant") fail_unlike("role", role, "user or assistant");
  return name == "user" ? Role::user : Role::assistant;
}

Severity read_severity(const JsonValue& value, const std::string& where) {
  if (value.kind() == JsonValue::Kind::null) return Severity::not_judged;
  const auto severity = value.kind() == JsonValue::Kind::string ? parse_severity(value.text()) : std::nullopt;
  if (!severity) fail_unlike(where, value, "Safe, Controversial, Unsafe or null");
  return *severity;
}

SeverityProbabilities read_probabilities(const JsonValue& value, const std::string& where) {
  if (value.kind() == JsonValue::Kind::null) return {};
  SeverityProbabilities out;
  out.safe = read_probability(value, where, "safe");
  out.controversial = read_probability(value, where, "controversial");
  out.unsafe = read_probability(value, where, "unsafe");
  return out;
}

Category read_category(const JsonValue& value, const std::string& where) {
  const auto category = value.kind() == JsonValue::Kind::string ? parse_category(value.text()) : std::nullopt;
  if (!category) fail_unlike(where, value, "one of Qwen3Guard's categories by its name, such as \"Violent\"");
  return *category;
}

}  // namespace qwen3guard::wire
