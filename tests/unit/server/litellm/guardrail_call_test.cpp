// SPDX-License-Identifier: Apache-2.0
#include "server/doors/litellm/guardrail_call.hpp"

#include <string>

#include "q3g_catch.hpp"
#include "server/doors/request_json.hpp"
#include "wire/line_error.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

GuardrailCall read(const std::string& json) { return read_guardrail_call(wire::JsonValue::parse(json), 4); }

std::string request(const std::string& messages, const std::string& texts, const std::string& more = "") {
  return R"({"input_type":"request","litellm_call_id":"c","structured_messages":)" + messages +
         R"(,"texts":)" + texts + more + "}";
}

}  // namespace

TEST_CASE("guardrail call: what the user said since the last answer is judged", "[server]") {
  const GuardrailCall call = read(request(
      R"([{"role":"system","content":"s"},{"role":"user","content":"a"},{"role":"assistant","content":"b"},
          {"role":"user","content":"c"},{"role":"user","content":[{"type":"text","text":"d"}]}])",
      R"(["s","a","b","c","d"])", R"(,"request_data":{"user_api_key_hash":"me"},"tools":[{}])"));
  CHECK_FALSE(call.is_response);
  CHECK(call.call_id == "c");
  CHECK(call.user == "me");
  CHECK(call.has_tools);
  CHECK(call.has_messages);
  CHECK(call.asked.messages.size() == 5);
  CHECK(call.asked.i_first_prompt == 3);
  CHECK(call.asked.i_prompt == 4);
}

TEST_CASE("guardrail call: texts that stand in no message are the user's", "[server]") {
  const GuardrailCall beside =
      read(request(R"([{"role":"system","content":"s"},{"role":"user","content":"a"}])", R"(["a","more"])"));
  CHECK(beside.asked.messages.size() == 3);
  CHECK(beside.asked.i_first_prompt == 1);
  CHECK(beside.asked.i_prompt == 2);
  CHECK(beside.asked.messages[1].content == "more");
  CHECK(beside.asked.messages[1].role == Role::user);
  const GuardrailCall alone = read(request("null", R"(["a","b"])"));
  CHECK_FALSE(alone.has_messages);
  CHECK(alone.asked.messages.size() == 2);
  CHECK(alone.asked.i_first_prompt == 0);
  CHECK(alone.asked.i_prompt == 1);
}

TEST_CASE("guardrail call: answers and calls of tools, with the characters that escapes mean", "[server]") {
  const GuardrailCall call = read(
      R"({"input_type":"response","texts":["a","b"],"tool_calls":[
          {"id":"i","type":"function","function":{"name":"f","arguments":"{\"x\":\"\\u00e9\"}"}},
          {"type":"function","function":{"name":"g","arguments":{"y":1}}},
          {"function":{"name":"h","arguments":null}}]})");
  CHECK(call.is_response);
  CHECK(call.call_id.empty());
  REQUIRE(call.answers.size() == 5);
  CHECK(call.answers[1].text == "b");
  CHECK_FALSE(call.answers[1].is_call);
  CHECK(call.answers[2].text == "f\n{\"x\":\"\xC3\xA9\"}");
  CHECK(call.answers[2].is_call);
  CHECK(call.answers[3].text == "g\n{\"y\":1}");
  CHECK(call.answers[4].text == "h");
}

TEST_CASE("guardrail call: what cannot be judged, or changes what is, is refused", "[server]") {
  const std::string user = R"([{"role":"user","content":"a"}])";
  for (const std::string& json :
       {std::string("{}"), std::string(R"({"input_type":"x","texts":["a"]})"), request(user, R"("a")"),
        request(user, R"(["a"])", R"(,"images":["u"])"), request("null", "[]"), request("null", "null"),
        request("null", R"(["a"])", R"(,"tool_calls":[{}])"), request(user, R"(["a","b","c","d","e","f"])"),
        request(user, R"(["a"])", R"(,"additional_provider_specific_params":{"a":1})"),
        std::string(R"({"input_type":"response","texts":[]})"),
        std::string(R"({"input_type":"response","texts":["a"],"structured_messages":[{}]})")}) {
    INFO(json);
    CHECK_THROWS_AS(read(json), BadRequestError);
  }
  for (const std::string& json :
       {request(R"([{"role":"system","content":"a"}])", R"(["a"])"), request(user, "[1]"),
        request(R"([{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}])", "[]"),
        request(user, R"(["a"])", R"(,"aside":"text")"),
        std::string(
            R"({"input_type":"response","texts":["a"],"tool_calls":[{"function":{"arguments":"{}"}}]})"),
        std::string(R"({"input_type":"response","tool_calls":[{"function":{"name":"f","aside":"t"}}]})")}) {
    INFO(json);
    CHECK_THROWS_AS(read(json), wire::LineError);
  }
  CHECK_NOTHROW(read(request(user, R"(["a"])", R"(,"additional_provider_specific_params":{})")));
}

TEST_CASE("guardrail call: more messages than any context holds are refused", "[server]") {
  std::string messages = "[";
  for (int i = 0; i < 4096; ++i) messages += R"({"role":"user","content":""},)";
  CHECK_NOTHROW(read(request(messages.substr(0, messages.size() - 1) + "]", "[]")));
  CHECK_THROWS_AS(read(request(messages + R"({"role":"user","content":""}])", "[]")), BadRequestError);
}

TEST_CASE("guardrail call: what was not read is on record with the last text there is", "[server]") {
  const auto last = [](const std::string& json) { return last_text(wire::JsonValue::parse(json)); };
  CHECK(last(R"({"input_type":"request","texts":["a","b"]})").text == "b");
  CHECK(last(R"({"texts":["a"],"structured_messages":[{"content":"c"},{"content":[{"text":"d"}]}]})").text ==
        "d");
  CHECK(last(R"({"input_type":"response","texts":["a"]})").role == Role::assistant);
  CHECK(last(R"({"texts":["a","\ud800"]})").text == "a");
  for (const char* const json :
       {"{}", R"({"input_type":1,"texts":"a"})", R"({"texts":[1,{"content":[1,{"text":2}]}]})"}) {
    INFO(json);
    CHECK(last(json).text.empty());
    CHECK(last(json).role == Role::user);
  }
}
