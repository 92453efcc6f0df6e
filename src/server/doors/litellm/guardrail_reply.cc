// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/guardrail_reply.hpp"

#include <algorithm>

#include "server/doors/verdict_json.hpp"
#include "wire/json_out.hpp"
#include "wire/stream_out.hpp"
#include "wire/utf8_text.hpp"
#include "wire/verdict_out.hpp"

namespace qwen3guard::server {
namespace {

using Kind = AnswerJudgement::Kind;

/// For the person whose text it is: what was found, and none of the text.
std::string reason_of(const char* what, const Decision& decision) {
  std::string out = std::string("the ") + what + " is blocked by the policy of the guard";
  // A phrase of the policy's decides whatever the model says.
  if (decision.severity <= Severity::safe) return out;
  out += std::string(": ") + to_string(decision.severity);
  if (decision.ruling.category) out += std::string(", ") + to_string(*decision.ruling.category);
  return out;
}

void put_decision(wire::JsonOut& json, const Decision& decision) {
  json.begin_object();
  wire::put_decision_fields(json, decision, decision.token ? &*decision.token : nullptr);
  json.end_object();
}

void put_action(wire::JsonOut& json, const char* action, const std::string& reason) {
  json.key("action").string(action);
  if (!reason.empty()) json.key("blocked_reason").string(reason);
}

/// Of this text nothing may be shown but what is free in any case.
bool is_cut(const AnswerText& text, const AnswerJudgement& judgement, const AnswerRules& rules) {
  return judgement.kind == Kind::pending && rules.is_incremental && !text.is_call && !judgement.is_repeat;
}

void put_texts(wire::JsonOut& json, const std::vector<AnswerText>& texts,
               const std::vector<AnswerJudgement>& judgements, const AnswerRules& rules) {
  json.key("texts").begin_array();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].is_call) continue;
    const bool cuts = is_cut(texts[i], judgements[i], rules);
    json.string(cuts ? texts[i].text.substr(0, judgements[i].n_free_bytes) : texts[i].text);
  }
  json.end_array();
}

void put_held(wire::JsonOut& json, const std::vector<AnswerText>& texts,
              const std::vector<AnswerJudgement>& judgements, const AnswerRules& rules) {
  json.key("stream_holdback_chars").begin_array();
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].is_call) continue;
    const bool holds = !rules.is_monitor && !is_cut(texts[i], judgements[i], rules);
    const std::string_view text = texts[i].text;
    // As Python counts them.
    const std::size_t n = holds ? wire::count_code_points(text.substr(judgements[i].n_free_bytes)) : 0;
    json.integer(static_cast<std::int64_t>(n));
  }
  json.end_array();
}

}  // namespace

GuardrailReply reply_to_request(const std::vector<JudgedPrompt>& prompts, bool is_monitor) {
  GuardrailReply out;
  const auto blocked = std::find_if(prompts.begin(), prompts.end(), [](const JudgedPrompt& prompt) {
    return prompt.decision.action == Action::block;
  });
  out.is_blocked = blocked != prompts.end();
  wire::JsonOut json;
  json.begin_object();
  if (out.is_blocked && !is_monitor) {
    put_action(json, "BLOCKED", reason_of("prompt", blocked->decision));
  } else {
    put_action(json, "NONE", "");
  }
  json.key("qwen3guard").begin_object();
  json.key("prompts").begin_array();
  for (const JudgedPrompt& prompt : prompts) put_decision(json, prompt.decision);
  json.end_array().end_object().end_object();
  out.json = json.text();
  return out;
}

GuardrailReply reply_to_response(const std::vector<AnswerText>& texts,
                                 const std::vector<AnswerJudgement>& judgements, const AnswerRules& rules) {
  GuardrailReply out;
  std::string reason;
  bool cuts_any = false;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const bool cuts = is_cut(texts[i], judgements[i], rules);
    cuts_any = cuts_any || cuts;
    if (judgements[i].kind == Kind::passed || cuts || out.is_blocked) continue;
    out.is_blocked = true;
    reason = reason_of(texts[i].is_call ? "call" : "answer", judgements[i].decision);
  }
  wire::JsonOut json;
  json.begin_object();
  if (rules.is_monitor) {
    put_action(json, "NONE", "");
  } else if (out.is_blocked) {
    put_action(json, "BLOCKED", reason);
  } else {
    put_action(json, cuts_any ? "GUARDRAIL_INTERVENED" : "NONE", "");
    if (cuts_any) put_texts(json, texts, judgements, rules);
    put_held(json, texts, judgements, rules);
  }
  json.key("qwen3guard").begin_object();
  json.key("prompt").string(rules.knows_prompt ? "known" : "unknown");
  json.key("answers").begin_array();
  for (const AnswerJudgement& judgement : judgements) put_decision(json, judgement.decision);
  json.end_array().end_object().end_object();
  out.json = json.text();
  return out;
}

GuardrailReply reply_unjudged(const Ruling& ruling, const Error& error, bool is_monitor) {
  wire::JsonOut json;
  json.begin_object();
  put_action(json, is_monitor ? "NONE" : "BLOCKED", is_monitor ? "" : "not judged: " + error.detail);
  put_unjudged(json, ruling, error);
  json.end_object();
  return {json.text(), true};
}

bool is_for_the_client(const Error& error) { return api_error(error).status == 400; }

Response spell_guardrail_error(const ApiError& error) {
  Response response = error_response(error);
  if (error.status == 502 || error.status == 503 || error.status == 504) response.status = 500;
  return response;
}

}  // namespace qwen3guard::server
