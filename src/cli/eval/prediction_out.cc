// SPDX-License-Identifier: Apache-2.0
#include "cli/eval/prediction_out.hpp"

#include <algorithm>
#include <optional>
#include <span>

#include "cli/wire.hpp"
#include "evaluation/scores.hpp"
#include "wire/json_out.hpp"
#include "wire/verdict_out.hpp"

namespace qwen3guard::cli {
namespace {

/// As the published checkpoints number them (config.json, response_risk_level_map).
std::int64_t published_level(Severity severity) {
  switch (severity) {
    case Severity::unsafe:
      return 1;
    case Severity::controversial:
      return 2;
    default:
      return 0;
  }
}

void put_gold(JsonOut& json, const evaluation::Gold& gold) {
  json.key("label");
  if (gold.label) {
    json.string(to_string(*gold.label));
  } else {
    json.null();
  }
  json.key("categories").begin_array();
  for (const Category category : gold.categories) json.string(to_string(category));
  json.end_array();
  json.key("refusal");
  if (gold.refusal) {
    json.boolean(*gold.refusal);
  } else {
    json.null();
  }
  json.key("weak").boolean(gold.is_weak);
}

void put_scores(JsonOut& json, const std::optional<evaluation::Scores>& scores) {
  json.key("scores");
  if (!scores) {
    json.null();
    return;
  }
  json.begin_object().key("strict").number(scores->strict).key("loose").number(scores->loose).end_object();
}

/// The fields that eval/eval_stream.py of the repository QwenLM/Qwen3Guard gives its rows.
void put_published_tokens(JsonOut& json, std::span<const TokenVerdict> tokens) {
  json.key("pred_risk_levels").begin_array();
  for (const TokenVerdict& token : tokens) json.integer(published_level(token.severity));
  json.end_array();
  json.key("pred_risk_prob").begin_array();
  for (const TokenVerdict& token : tokens) json.number(token.probabilities[token.severity]);
  json.end_array();
  json.key("pred_categories").begin_array();
  for (const TokenVerdict& token : tokens) json.string(to_string(token.category));
  json.end_array();
  json.key("input_ids").begin_array();
  for (const TokenVerdict& token : tokens) json.integer(token.id);
  json.end_array();
}

void put_span(JsonOut& json, const DataRow& row, std::span<const TokenVerdict> tokens) {
  std::optional<evaluation::TokenSpan> span = row.gold.unsafe_span;
  if (!span && row.unsafe_bytes)
    span = evaluation::tokens_of_bytes(tokens, row.unsafe_bytes->begin, row.unsafe_bytes->end);
  if (!span && !row.unsafe_bytes) return;
  for (const bool is_start : {true, false}) {
    json.key(is_start ? "unsafe_start_index" : "unsafe_end_index");
    if (span) {
      json.integer(is_start ? span->first : span->last);
    } else {
      json.null();
    }
  }
}

}  // namespace

std::string prediction_to_json(const DataRow& row, const Result<Verdict>& verdict,
                               const PredictionContext& context) {
  JsonOut json;
  json.begin_output("prediction");
  json.key("set").string(context.set);
  json.key("line").integer(static_cast<std::int64_t>(row.line));
  json.key("id").raw(row.id);
  json.key("lang");
  if (row.language.empty()) {
    json.null();
  } else {
    json.string(row.language);
  }
  json.key("role").string(to_string(row.messages.back().role));
  put_gold(json, row.gold);
  json.key("ms").number(context.ms);
  if (!verdict.ok()) {
    put_scores(json, std::nullopt);
    put_span(json, row, {});
    json.key("verdict").raw(error_to_json(rule_unjudged(context.policy), row.id, verdict.error()));
    return json.end_object().text();
  }
  put_scores(json, evaluation::scores_of(*verdict));
  const auto tokens = evaluation::published_tokens(*verdict);
  put_span(json, row, tokens);
  if (!verdict->text.empty()) json.key("guard_predict").string(verdict->text);
  if (!tokens.empty()) {
    put_published_tokens(json, tokens);
    if (verdict->role == Role::assistant) json.key("split_idx_eval").integer(tokens.front().position);
  }
  json.key("verdict");
  if (context.keep_token_verdicts || verdict->token_verdicts.empty()) {
    json.raw(verdict_to_json(*verdict, row.id));
  } else {
    Verdict short_one = *verdict;
    short_one.token_verdicts.clear();
    json.raw(verdict_to_json(short_one, row.id));
  }
  return json.end_object().text();
}

}  // namespace qwen3guard::cli
