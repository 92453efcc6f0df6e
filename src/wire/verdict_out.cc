// SPDX-License-Identifier: Apache-2.0
#include "wire/verdict_out.hpp"

#include <algorithm>

namespace qwen3guard::wire {
namespace {

/// What decide() needs of a Stream checkpoint's tokens.
void put_token_verdicts(JsonOut& json, const Verdict& verdict) {
  json.key("n_as_written").integer(verdict.n_as_written);
  json.key("token_verdicts").begin_array();
  for (const TokenVerdict& token : verdict.token_verdicts) {
    json.begin_object();
    json.key("position").integer(token.position);
    json.key("id").integer(token.id);
    put_severity(json.key("severity"), token.severity);
    put_probabilities(json.key("probabilities"), token.probabilities);
    json.key("category").string(to_string(token.category));
    json.key("source").string(to_string(token.source));
    json.key("counts").boolean(token.counts);
    json.key("bytes").begin_array().integer(token.byte_begin).integer(token.byte_end).end_array();
    json.end_object();
  }
  json.end_array();
}

}  // namespace

void put_severity(JsonOut& json, Severity severity) {
  if (severity == Severity::not_judged) {
    json.null();
  } else {
    json.string(to_string(severity));
  }
}

void put_probabilities(JsonOut& json, const SeverityProbabilities& probabilities) {
  if (probabilities.safe == 0 && probabilities.controversial == 0 && probabilities.unsafe == 0) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("safe").number(probabilities.safe);
  json.key("controversial").number(probabilities.controversial);
  json.key("unsafe").number(probabilities.unsafe);
  json.end_object();
}

void put_ruling(JsonOut& json, const Ruling& ruling) {
  json.begin_object();
  json.key("action").string(to_string(ruling.action));
  json.key("rule").string(to_string(ruling.rule));
  json.key("category");
  if (ruling.category) {
    json.string(to_string(*ruling.category));
  } else {
    json.null();
  }
  json.key("score").number(ruling.score);
  if (ruling.phrase >= 0) json.key("phrase").integer(ruling.phrase);
  if (ruling.byte_begin < ruling.byte_end)
    json.key("bytes").begin_array().integer(ruling.byte_begin).integer(ruling.byte_end).end_array();
  json.key("policy").string(ruling.policy_name);
  json.key("version").string(ruling.policy_version);
  json.end_object();
}

void put_verdict_fields(JsonOut& json, const Verdict& verdict) {
  json.key("role").string(to_string(verdict.role));
  put_severity(json.key("severity"), verdict.severity);
  put_probabilities(json.key("probabilities"), verdict.probabilities);
  json.key("position");
  if (verdict.position) {
    json.integer(*verdict.position);
  } else {
    json.null();
  }
  json.key("categories").begin_array();
  for (const CategoryScore& score : verdict.categories) {
    json.begin_object();
    json.key("name").string(to_string(score.category));
    json.key("probability").number(score.probability);
    json.end_object();
  }
  json.end_array();
  json.key("refusal");
  if (verdict.refusal) {
    json.begin_object();
    json.key("value").boolean(verdict.refusal->value);
    json.key("probability").number(verdict.refusal->probability);
    json.end_object();
  } else {
    json.null();
  }
  put_ruling(json.key("ruling"), verdict.ruling);
  json.key("dropped_messages").begin_array();
  for (const std::int32_t index : verdict.dropped_messages) json.integer(index);
  json.end_array();
  json.key("tokens").begin_object();
  json.key("prompt").integer(verdict.tokens.prompt);
  json.key("cached").integer(verdict.tokens.cached);
  json.end_object();
  json.key("latency_ms").rounded(verdict.latency_ms);
  if (verdict.window) {
    json.key("window").begin_object();
    json.key("index").integer(verdict.window->index);
    json.key("n_windows").integer(verdict.window->n_windows);
    json.key("bytes").begin_array();
    json.integer(verdict.window->byte_begin).integer(verdict.window->byte_end).end_array();
    json.end_object();
  }
  const bool has_copy = std::any_of(verdict.windows.begin(), verdict.windows.end(),
                                    [](const Verdict& part) { return part.is_of_folded_copy; });
  if (has_copy) json.key("is_of_folded_copy").boolean(verdict.is_of_folded_copy);
  if (!verdict.token_verdicts.empty()) put_token_verdicts(json, verdict);
}

std::string verdict_to_json(const Verdict& verdict, std::string_view id_json) {
  JsonOut json;
  json.begin_output("verdict");
  json.key("id").raw(id_json);
  put_verdict_fields(json, verdict);
  json.end_object();
  return json.text();
}

std::string error_to_json(const Ruling& ruling, std::string_view id_json, const Error& error) {
  JsonOut json;
  json.begin_output("error");
  json.key("id").raw(id_json);
  put_ruling(json.key("ruling"), ruling);
  json.key("error").begin_object();
  json.key("code").string(to_string(error.code));
  json.key("message").string(error.detail);
  json.end_object();
  json.end_object();
  return json.text();
}

}  // namespace qwen3guard::wire
