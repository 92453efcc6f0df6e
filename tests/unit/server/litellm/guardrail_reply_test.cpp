// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/guardrail_reply.hpp"

#include <string>

#include "q3g_catch.hpp"
#include "wire/json_text.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;
using Kind = AnswerJudgement::Kind;

namespace {

std::string member(const GuardrailReply& reply, const char* key) {
  const auto value = wire::JsonValue::parse(reply.json).find(key);
  return value ? std::string(value->raw()) : "";
}

AnswerJudgement judged(Kind kind, std::size_t n_free_bytes, bool is_repeat = false) {
  AnswerJudgement out;
  out.kind = kind;
  out.n_free_bytes = n_free_bytes;
  out.is_repeat = is_repeat;
  out.decision.action = kind == Kind::passed ? Action::allow : Action::block;
  return out;
}

const AnswerText kText{"na\xC3\xAFve \xF0\x9F\x98\x80!", false};
const AnswerText kCall{"f\n{}", true};

AnswerRules incremental() {
  AnswerRules rules;
  rules.is_incremental = true;
  return rules;
}

}  // namespace

TEST_CASE("guardrail reply: held characters are those of Python, one entry a text", "[server]") {
  const auto reply = reply_to_response(
      {kText, kText, kCall}, {judged(Kind::passed, 2), judged(Kind::passed, 12), judged(Kind::passed, 0)},
      incremental());
  CHECK(member(reply, "action") == "\"NONE\"");
  CHECK(member(reply, "stream_holdback_chars") == "[6,0]");
  CHECK(member(reply, "texts").empty());
  CHECK_FALSE(reply.is_blocked);
}

TEST_CASE("guardrail reply: what may still become good is cut, where that is heeded", "[server]") {
  const std::vector<AnswerJudgement> pending = {judged(Kind::pending, 2)};
  const auto cut = reply_to_response({kText}, pending, incremental());
  CHECK(member(cut, "action") == "\"GUARDRAIL_INTERVENED\"");
  CHECK(member(cut, "texts") == R"(["na"])");
  CHECK(member(cut, "stream_holdback_chars") == "[0]");
  // Elsewhere, of a text that came before, and of a call it is blocked.
  CHECK(member(reply_to_response({kText}, pending, {}), "action") == "\"BLOCKED\"");
  CHECK(member(reply_to_response({kText}, {judged(Kind::pending, 2, true)}, incremental()), "action") ==
        "\"BLOCKED\"");
  CHECK(member(reply_to_response({kCall}, {judged(Kind::pending, 0)}, incremental()), "action") ==
        "\"BLOCKED\"");
}

TEST_CASE("guardrail reply: one blocked text blocks all, and none of it is told", "[server]") {
  const auto reply =
      reply_to_response({kText, kText}, {judged(Kind::passed, 2), judged(Kind::blocked, 2)}, incremental());
  CHECK(reply.is_blocked);
  CHECK(member(reply, "action") == "\"BLOCKED\"");
  CHECK(member(reply, "blocked_reason").find("answer is blocked") != std::string::npos);
  CHECK(reply.json.find("na\xC3\xAFve") == std::string::npos);
  // Nor does what nobody has judged pass.
  CHECK(reply_to_response({kText}, {{}}, incremental()).is_blocked);
  CHECK(reply_to_response({kText}, {{}}, {}).is_blocked);
  AnswerRules monitor = incremental();
  monitor.is_monitor = true;
  const auto watched = reply_to_response({kText}, {judged(Kind::blocked, 2)}, monitor);
  CHECK(member(watched, "action") == "\"NONE\"");
  CHECK(member(watched, "stream_holdback_chars").empty());
}

TEST_CASE("guardrail reply: no status says that the guard is not there", "[server]") {
  for (const int status : {502, 503, 504}) CHECK(spell_guardrail_error({status, "m", "", ""}).status == 500);
  for (const int status : {400, 401, 413, 429, 500})
    CHECK(spell_guardrail_error({status, "m", "", ""}).status == status);
}
