// SPDX-License-Identifier: Apache-2.0
#include "wire/verdict_in.hpp"

#include <string>

#include "wire/fields_in.hpp"
#include "wire/values_in.hpp"

namespace qwen3guard::wire {
namespace {

VerdictSource read_source(const JsonValue& value, const std::string& where) {
  for (const VerdictSource source :
       {VerdictSource::none, VerdictSource::heads, VerdictSource::written, VerdictSource::carried}) {
    if (value.kind() == JsonValue::Kind::string && value.text() == to_string(source)) return source;
  }
  fail_unlike(where, value, "none, heads, written or carried");
}

TokenVerdict read_token(const JsonValue& value, const std::string& where) {
  TokenVerdict out;
  out.position = read_integer(member(value, where, "position"), where + ".position");
  out.id = read_integer(member(value, where, "id"), where + ".id");
  out.severity = read_severity(member(value, where, "severity"), where + ".severity");
  out.probabilities = read_probabilities(member(value, where, "probabilities"), where + ".probabilities");
  out.category = read_category(member(value, where, "category"), where + ".category");
  out.source = read_source(member(value, where, "source"), where + ".source");
  out.counts = read_boolean(member(value, where, "counts"), where + ".counts");
  const JsonValue bytes = member(value, where, "bytes");
  const auto range = bytes.kind() == JsonValue::Kind::array ? bytes.items() : std::vector<JsonValue>();
  if (range.size() != 2) fail_unlike(where + ".bytes", bytes, "two whole numbers");
  out.byte_begin = read_integer(range[0], where + ".bytes");
  out.byte_end = read_integer(range[1], where + ".bytes");
  out.is_settled = true;
  return out;
}

}  // namespace

Verdict read_verdict(const JsonValue& line) {
  Verdict out;
  out.role = read_judged_role(line);
  out.severity = read_severity(member(line, "", "severity"), "severity");
  out.probabilities = read_probabilities(member(line, "", "probabilities"), "probabilities");
  const JsonValue position = member(line, "", "position");
  if (position.kind() != JsonValue::Kind::null) out.position = read_integer(position, "position");
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
  if (const auto n = line.find("n_as_written")) out.n_as_written = read_integer(*n, "n_as_written");
  // A line has the worst part of what was judged in several, and not the others: decide() refuses it.
  if (line.find("window") || line.find("is_of_folded_copy")) out.window = VerdictWindow{0, 2, 0, 0};
  return out;
}

}  // namespace qwen3guard::wire
