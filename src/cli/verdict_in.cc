// SPDX-License-Identifier: Apache-2.0
#include "verdict_in.hpp"

#include <simdjson.h>

#include <limits>
#include <string>

#include "fields_in.hpp"
#include "qwen3guard/quote.hpp"

namespace qwen3guard::cli {
namespace {

[[noreturn]] void fail_unlike(const std::string& where, const JsonValue& value, const char* expected) {
  constexpr std::size_t kMaxShownBytes = 40;
  fail(where, printable(value.raw(), kMaxShownBytes) + "; expected " + expected);
}

JsonValue member(const JsonValue& object, const std::string& where, const char* key) {
  const auto found = object.find(key);
  if (!found) fail(where.empty() ? key : where + "." + key, "missing; expected what classify --json prints");
  return *found;
}

double read_number(const JsonValue& value, const std::string& where, double min, double max) {
  simdjson::dom::parser parser;
  double number = 0;
  if (value.kind() != JsonValue::Kind::number ||
      parser.parse(value.raw().data(), value.raw().size()).get(number) != simdjson::SUCCESS ||
      !(number >= min && number <= max))
    fail_unlike(where, value, max == 1 ? "0 to 1" : "a whole number");
  return number;
}

float read_probability(const JsonValue& object, const std::string& where, const char* key) {
  return static_cast<float>(read_number(member(object, where, key), where + "." + key, 0, 1));
}

template <class Integer>
Integer read_integer(const JsonValue& value, const std::string& where) {
  constexpr double kLargest = static_cast<double>(std::numeric_limits<std::int32_t>::max());
  const double number = read_number(value, where, -1, kLargest);
  if (number != static_cast<double>(static_cast<Integer>(number)))
    fail_unlike(where, value, "a whole number");
  return static_cast<Integer>(number);
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
  if (!category) fail_unlike(where, value, "the name of a category");
  return *category;
}

VerdictSource read_source(const JsonValue& value, const std::string& where) {
  for (const VerdictSource source :
       {VerdictSource::none, VerdictSource::heads, VerdictSource::written, VerdictSource::carried}) {
    if (value.kind() == JsonValue::Kind::string && value.text() == to_string(source)) return source;
  }
  fail_unlike(where, value, "none, heads, written or carried");
}

/// An array's items; none when the member is not there.
std::vector<JsonValue> read_items(const JsonValue& line, const char* key) {
  const auto found = line.find(key);
  if (!found) return {};
  if (found->kind() != JsonValue::Kind::array) fail_unlike(key, *found, "an array");
  return found->items();
}

TokenVerdict read_token(const JsonValue& value, const std::string& where) {
  TokenVerdict out;
  out.position = read_integer<std::int32_t>(member(value, where, "position"), where + ".position");
  out.id = read_integer<std::int32_t>(member(value, where, "id"), where + ".id");
  out.severity = read_severity(member(value, where, "severity"), where + ".severity");
  out.probabilities = read_probabilities(member(value, where, "probabilities"), where + ".probabilities");
  out.category = read_category(member(value, where, "category"), where + ".category");
  out.source = read_source(member(value, where, "source"), where + ".source");
  const JsonValue counts = member(value, where, "counts");
  if (counts.kind() != JsonValue::Kind::boolean) fail_unlike(where + ".counts", counts, "true or false");
  out.counts = counts.raw() == "true";
  const JsonValue bytes = member(value, where, "bytes");
  const auto range = bytes.kind() == JsonValue::Kind::array ? bytes.items() : std::vector<JsonValue>();
  if (range.size() != 2) fail_unlike(where + ".bytes", bytes, "two whole numbers");
  out.byte_begin = read_integer<std::int64_t>(range[0], where + ".bytes");
  out.byte_end = read_integer<std::int64_t>(range[1], where + ".bytes");
  out.is_settled = true;
  return out;
}

}  // namespace

Verdict read_verdict(const JsonValue& line) {
  Verdict out;
  const JsonValue role = member(line, "", "role");
  const std::string role_text = role.kind() == JsonValue::Kind::string ? role.text() : "";
  if (role_text != "user" && role_text != "assistant") fail_unlike("role", role, "user or assistant");
  out.role = role_text == "user" ? Role::user : Role::assistant;
  out.severity = read_severity(member(line, "", "severity"), "severity");
  out.probabilities = read_probabilities(member(line, "", "probabilities"), "probabilities");
  const JsonValue position = member(line, "", "position");
  if (position.kind() != JsonValue::Kind::null)
    out.position = read_integer<std::int32_t>(position, "position");
  const auto categories = read_items(line, "categories");
  for (std::size_t i = 0; i < categories.size(); ++i) {
    const std::string where = index("categories", i);
    out.categories.push_back({read_category(member(categories[i], where, "name"), where + ".name"),
                              read_probability(categories[i], where, "probability")});
  }
  const auto tokens = read_items(line, "token_verdicts");
  out.token_verdicts.reserve(tokens.size());
  for (std::size_t i = 0; i < tokens.size(); ++i)
    out.token_verdicts.push_back(read_token(tokens[i], index("token_verdicts", i)));
  if (const auto n = line.find("n_as_written"))
    out.n_as_written = read_integer<std::int32_t>(*n, "n_as_written");
  // A line has the worst part of what was judged in several, and not the others: decide() refuses it.
  if (line.find("window") || line.find("is_of_folded_copy")) out.window = VerdictWindow{0, 2, 0, 0};
  return out;
}

}  // namespace qwen3guard::cli
