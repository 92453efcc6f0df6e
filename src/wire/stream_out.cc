// SPDX-License-Identifier: Apache-2.0
#include "wire/stream_out.hpp"

#include "wire/verdict_out.hpp"

namespace qwen3guard::wire {
namespace {

/// The category of what is harmful; else null.
void put_category(JsonOut& json, const TokenVerdict& token) {
  json.key("category");
  if (token.severity <= Severity::safe) {
    json.null();
  } else {
    json.string(to_string(token.category));
  }
}

/// Why a decision fell, as the JSON form spells it.
const char* name_of(DecisionReason reason) {
  switch (reason) {
    case DecisionReason::none:
      break;
    case DecisionReason::run:
      return "run";
    case DecisionReason::end_of_turn:
      return "end_of_turn";
    case DecisionReason::written:
      return "written";
    case DecisionReason::mixed_run:
      return "mixed_run";
  }
  return "none";
}

}  // namespace

void put_token_fields(JsonOut& json, Role role, const TokenVerdict& token, std::string_view text) {
  json.key("index").integer(token.position);
  json.key("id").integer(token.id);
  json.key("text").string(text);
  put_severity(json.key("severity"), token.severity);
  put_probabilities(json.key("probabilities"), token.probabilities);
  put_category(json, token);
  json.key("action").string(to_string(token.action));
  json.key("source").string(to_string(token.source));
  if (role == Role::assistant) {
    json.key("byte_begin").integer(token.byte_begin);
    json.key("byte_end").integer(token.byte_end);
  }
}

void put_decision_fields(JsonOut& json, const Decision& decision, const TokenVerdict* token) {
  put_severity(json.key("severity"), decision.severity);
  json.key("complete").boolean(decision.is_complete);
  json.key("unjudged");
  if (decision.unjudged_begin < decision.unjudged_end) {
    json.begin_array().integer(decision.unjudged_begin).integer(decision.unjudged_end).end_array();
  } else {
    json.null();
  }
  json.key("action").string(to_string(decision.action));
  put_ruling(json.key("ruling"), decision.ruling);
  json.key("reason").string(name_of(decision.reason));
  json.key("token");
  if (token == nullptr) {
    json.null();
    return;
  }
  json.begin_object();
  json.key("index").integer(token->position);
  put_severity(json.key("severity"), token->severity);
  put_probabilities(json.key("probabilities"), token->probabilities);
  put_category(json, *token);
  json.key("run_byte_begin").integer(decision.run_byte_begin);
  json.key("byte_end").integer(token->byte_end);
  json.key("settled").boolean(token->is_settled);
  json.end_object();
}

}  // namespace qwen3guard::wire
