// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/prediction_in.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <unordered_map>
#include <unordered_set>
#include <utility>

#include "cli/errors.hpp"
#include "cli/eval/gold_in.hpp"
#include "cli/input_lines.hpp"
#include "evaluation/scores.hpp"
#include "wire/fields_in.hpp"
#include "wire/values_in.hpp"

namespace qwen3guard::cli {
namespace {

/// The name of one of the enumeration's first n values.
template <class Enum>
Enum read_name(const JsonValue& value, const std::string& where, int n, const char* expected) {
  for (int i = 0; i < n; ++i) {
    const auto one = static_cast<Enum>(i);
    if (value.kind() == JsonValue::Kind::string && value.text() == to_string(one)) return one;
  }
  fail_unlike(where, value, expected);
}

void read_ruling(const JsonValue& verdict, evaluation::Prediction& out) {
  const auto ruling = find_known(verdict, "ruling");
  if (!ruling) return;
  constexpr int kActions = 4, kRules = 8;
  if (const auto action = find_known(*ruling, "action"))
    out.action = read_name<Action>(*action, "verdict.ruling.action", kActions, "none, allow, flag or block");
  if (const auto rule = find_known(*ruling, "rule"))
    out.rule = read_name<Rule>(*rule, "verdict.ruling.rule", kRules, "the name of a rule");
}

void read_said(const JsonValue& verdict, evaluation::Prediction& out) {
  if (verdict.kind() != JsonValue::Kind::object) fail_unlike("verdict", verdict, "an object");
  read_ruling(verdict, out);
  if (find_known(verdict, "error")) return;
  out.severity = read_severity(member(verdict, "verdict", "severity"), "verdict.severity");
  if (const auto probabilities = find_known(verdict, "probabilities")) {
    if (out.severity != Severity::not_judged)
      out.scores = evaluation::scores_of(read_probabilities(*probabilities, "verdict.probabilities"));
  }
  const std::string where = "verdict.categories";
  const bool has_categories = find_known(verdict, "categories").has_value();
  for (const JsonValue& one : has_categories ? read_items(verdict, "categories") : std::vector<JsonValue>()) {
    const bool has_form = one.kind() == JsonValue::Kind::object;
    out.categories.push_back(
        {read_category(has_form ? member(one, where, "name") : one, where),
         has_form && one.find("probability") ? read_probability(one, where, "probability") : 1});
  }
  if (const auto refusal = find_known(verdict, "refusal")) {
    const bool has_form = refusal->kind() == JsonValue::Kind::object;
    out.refusal = {
        read_boolean(has_form ? member(*refusal, "verdict.refusal", "value") : *refusal, "verdict.refusal"),
        has_form && refusal->find("probability")
            ? read_probability(*refusal, "verdict.refusal", "probability")
            : 1};
  }
  if (const auto tokens = find_known(verdict, "tokens")) {
    if (const auto prompt = find_known(*tokens, "prompt"))
      out.n_tokens = read_integer(*prompt, "verdict.tokens.prompt");
  }
}

void read_token_fields(const JsonValue& line, evaluation::Record& record) {
  evaluation::Prediction& out = record.prediction;
  if (const auto scores = find_known(line, "scores")) {
    out.scores = evaluation::Scores{read_probability(*scores, "scores", "strict"),
                                    read_probability(*scores, "scores", "loose")};
    if (out.scores->strict < out.scores->loose)
      fail_unlike("scores", *scores, "strict no less than loose, which it includes");
  }
  constexpr std::array<Severity, 3> kLevels = {Severity::safe, Severity::unsafe, Severity::controversial};
  // A prompt has one of its end, which no rule of neighbours is for.
  if (record.role == Role::assistant && find_known(line, "pred_risk_levels")) {
    for (const JsonValue& level : read_items(line, "pred_risk_levels")) {
      const std::int32_t index = read_integer(level, "pred_risk_levels");
      if (index < 0 || index > 2)
        fail_unlike("pred_risk_levels", level, "0 (Safe), 1 (Unsafe) or 2 (Controversial)");
      out.token_severities.push_back(kLevels[static_cast<std::size_t>(index)]);
    }
    out.first_token = read_integer(member(line, "", "split_idx_eval"), "split_idx_eval");
  }
  const auto first = find_known(line, "unsafe_start_index"), last = find_known(line, "unsafe_end_index");
  if (first.has_value() != last.has_value())
    fail(first ? "unsafe_end_index" : "unsafe_start_index",
         "missing; expected both ends of a span or neither");
  record.gold.is_passage_marked = line.find("unsafe_start_index").has_value();
  if (!first) return;
  record.gold.unsafe_span = evaluation::TokenSpan{read_integer(*first, "unsafe_start_index"),
                                                  read_integer(*last, "unsafe_end_index")};
  if (record.gold.unsafe_span->last < record.gold.unsafe_span->first)
    fail_unlike("unsafe_end_index", *last, "no less than unsafe_start_index");
}

}  // namespace

evaluation::Record read_prediction(const JsonValue& line, std::size_t number) {
  if (line.kind() != JsonValue::Kind::object) fail_unlike("", line, "an object: a prediction");
  evaluation::Record out;
  out.set = read_text(member(line, "", "set"), "set", InvalidUtf8::reject);
  out.line = number;
  if (const auto own = find_known(line, "line"))
    out.line = static_cast<std::size_t>(std::max(read_integer(*own, "line"), 0));
  out.id = read_row_id(line, number);
  out.language = read_language(line);
  out.role = read_judged_role(line);
  out.gold = read_gold(line);
  read_said(member(line, "", "verdict"), out.prediction);
  read_token_fields(line, out);
  constexpr double kMostMs = 1e12;
  if (const auto ms = find_known(line, "ms"))
    out.prediction.ms = read_number(*ms, "ms", 0, kMostMs, "milliseconds, no less than 0");
  return out;
}

void for_each_json_line(std::string_view text, const std::string& path,
                        const std::function<void(const JsonValue&, std::size_t)>& visit) {
  const auto at = [&](std::size_t number, const char* what) {
    return UsageError(printable(path) + ": line " + std::to_string(number) + ": " + what);
  };
  if (text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    try {
      visit(JsonValue::parse(line), number);
    } catch (const JsonError& e) {
      throw at(number, e.what());
    } catch (const LineError& e) {
      throw at(number, e.what());
    }
  }
}

std::size_t for_each_prediction(
    std::string_view text, const std::string& path,
    const std::function<void(evaluation::Record record, const JsonValue& line)>& visit) {
  std::unordered_map<std::string, std::unordered_set<std::string>> ids_of_sets;
  std::size_t n_lines = 0;
  for_each_json_line(text, path, [&](const JsonValue& line, std::size_t number) {
    evaluation::Record record = read_prediction(line, number);
    if (!ids_of_sets[record.set].insert(record.id).second)
      fail("id", "the set " + printable(record.set) + " has " + printable(record.id) + " twice");
    ++n_lines;
    visit(std::move(record), line);
  });
  return n_lines;
}

std::vector<evaluation::Record> read_predictions(std::string_view text, const std::string& path) {
  std::vector<evaluation::Record> out;
  for_each_prediction(text, path,
                      [&](evaluation::Record record, const JsonValue&) { out.push_back(std::move(record)); });
  return out;
}

}  // namespace qwen3guard::cli
