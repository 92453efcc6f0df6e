// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/answer_in.hpp"

#include "q3g_catch.hpp"
#include "server/doors/proxy/models_in.hpp"
#include "server/doors/proxy/request_in.hpp"
#include "server/doors/request_json.hpp"
#include "wire/line_error.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

std::vector<Part> parts_of(const std::string& delta) {
  const std::string json = R"({"choices":[{"index":0,"delta":)" + delta + "}]}";
  return read_chunk(json, 1).choices.at(0).parts;
}

std::string why_not(const std::string& json, int n_choices = 1) {
  try {
    static_cast<void>(read_chunk(json, n_choices));
  } catch (const UpstreamError& e) {
    return e.what();
  }
  return "";
}

ChatMessages messages_of(const std::string& json) { return read_chat_messages(wire::JsonValue::parse(json)); }

}  // namespace

TEST_CASE("answer: a chunk's head, choices and usage", "[server][proxy]") {
  const AnswerPiece piece = read_chunk(
      R"({"id":"c-1","object":"any","created":17,"model":"org/m:1","system_fingerprint":"fp","choices":[
          {"index":1,"delta":{"role":"assistant","content":"a"},"finish_reason":null},
          {"index":0,"delta":{},"finish_reason":"length"}],
          "usage":{"prompt_tokens":1,"x":2,"completion_tokens_details":{"reasoning_tokens":3,"y":"z"}}})",
      2);
  CHECK(piece.head.id == "c-1");
  CHECK(piece.head.model == "org/m:1");
  CHECK(piece.head.created == 17);
  REQUIRE(piece.choices.size() == 2);
  CHECK(piece.choices[0].index == 1);
  CHECK(piece.choices[0].parts.at(0).text == "a");
  CHECK(piece.choices[0].finish_reason.empty());
  CHECK(piece.choices[1].finish_reason == "length");
  CHECK(piece.usage_json == R"({"prompt_tokens":1,"completion_tokens_details":{"reasoning_tokens":3}})");
}

TEST_CASE("answer: text by its field, in the order in which it is shown", "[server][proxy]") {
  const auto parts = parts_of(
      R"({"tool_calls":[{"index":2,"id":"c2","function":{"name":"f","arguments":"{"}},{"function":{"arguments":"x"}}],
          "refusal":"r","content":"c","reasoning_content":"t","reasoning":"u","function_call":{"name":"g"}})");
  REQUIRE(parts.size() == 7);
  CHECK(parts[0].channel == Channel{Field::reasoning_content, 0});
  CHECK(parts[1].channel == Channel{Field::reasoning, 0});
  CHECK(parts[2].channel == Channel{Field::content, 0});
  CHECK(parts[3].channel == Channel{Field::refusal, 0});
  CHECK(parts[4].channel == Channel{Field::tool_call, 2});
  CHECK(parts[4].name == "f");
  CHECK(parts[4].call_id == "c2");
  CHECK(parts[4].text == "{");
  CHECK(parts[5].channel == Channel{Field::tool_call, 1});
  CHECK(parts[6].channel == Channel{Field::function_call, 0});
  // The same by two names is said once.
  CHECK(parts_of(R"({"reasoning_content":"t","reasoning":"t"})").size() == 1);
  CHECK(parts_of(R"({"content":null,"reasoning":null,"tool_calls":null,"function_call":null})").empty());
}

TEST_CASE("answer: what cannot be read in one way only is an error that repeats nothing", "[server][proxy]") {
  for (const char* bad :
       {"", "x", "[]", "3", "{}", R"({"choices":{}})", R"({"choices":[1]})", R"({"choices":[{"index":"0"}]})",
        R"({"choices":[{"index":1}]})", R"({"choices":[{"index":0.5}]})",
        R"({"choices":[{"delta":"secret"}]})", R"({"choices":[{"delta":{"content":["secret"]}}]})",
        R"({"choices":[{"delta":{"reasoning":{}}}]})",
        R"({"choices":[{"delta":{"content":"a","content":"secret"}}]})",
        R"({"choices":[{"finish_reason":1}]})",
        R"({"choices":[{"delta":{"tool_calls":[{"type":"secret"}]}}]})",
        R"({"choices":[{"delta":{"tool_calls":[{"index":128}]}}]})",
        R"({"choices":[{"delta":{"tool_calls":[{"function":{"name":"the secret"}}]}}]})",
        R"({"choices":[],"secret)"}) {
    CAPTURE(bad);
    const std::string why = why_not(bad);
    CHECK_FALSE(why.empty());
    CHECK(why.find("secret") == std::string::npos);
  }
  CHECK(why_not(R"({"error":{"message":"out\nof \u001b memory"}})") ==
        "the upstream failed in the middle of its answer");
  // For the operator, on one line.
  CHECK(read_error_message(R"({"error":{"message":"out\nof \u001b memory"}})") == "out\\nof \\u001b memory");
  CHECK(read_error_message(R"({"error":"words"})") == "words");
  for (const char* none : {"", "x", "{}", R"({"error":{}})", R"({"error":{"message":1}})"})
    CHECK(read_error_message(none).empty());
  CHECK(read_error_message(R"({"error":")" + std::string(5000, 'a') + "\"}").size() <= 500);
  CHECK(why_not(R"({"error":null,"choices":[]})").empty());
  CHECK_THROWS_AS(read_completion(R"({"choices":[]})", 1), UpstreamError);
  CHECK_THROWS_AS(read_completion(R"({"choices":[{"message":{}},{"message":{}}]})", 2), UpstreamError);
}

TEST_CASE("answer: names carry no text", "[server][proxy]") {
  CHECK(plain_name("chatcmpl-A_1.b:c/d@e+f=") == "chatcmpl-A_1.b:c/d@e+f=");
  for (const char* bad : {"two words", "a\n", "\xC3\xA9", "\"", "a,b"}) CHECK(plain_name(bad).empty());
  CHECK(plain_name(std::string(128, 'x')).size() == 128);
  CHECK(plain_name(std::string(129, 'x')).empty());
  CHECK(read_chunk(R"({"choices":[{"finish_reason":"my own words"}]})", 1).choices[0].finish_reason ==
        "stop");
  const auto models = read_models(R"({"data":[{"id":"a","owned_by":"b c","created":5},{"id":"x y"},3,{}]})");
  REQUIRE(models.size() == 1);
  CHECK(models[0].id == "a");
  CHECK(models[0].owner.empty());
  CHECK(models[0].created == 5);
  CHECK(read_models("nonsense").empty());
}

TEST_CASE("chat request: the last user's message is judged", "[server][proxy]") {
  const auto asked = messages_of(
      R"({"model":"m","messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"},{"role":"user","content":"c"},
          {"role":"assistant","tool_calls":[{"function":{"name":"f","arguments":"{}"}}]},{"role":"tool","content":"d"}]})");
  CHECK(asked.messages.size() == 5);
  CHECK(asked.i_prompt == 2);
  for (
      const char* bad :
      {R"({"messages":[]})", R"({"messages":[{"role":"system","content":"a"}]})",
       R"({"messages":[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]})",
       // A tool's message would part the user's, and hide the first.
       R"({"messages":[{"role":"user","content":"a"},{"role":"tool","content":""},{"role":"user","content":"c"}]})",
       R"({"messages":[{"role":"tool","content":"b"},{"role":"user","content":"c"}]})",
       R"({"messages":[{"role":"user","content":"a"}],"documents":["b"]})"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(messages_of(bad), wire::LineError);
  }
  CHECK(messages_of(R"({"messages":[{"role":"user","content":"a"}],"top_k":5,"tools":[{"description":"b"}]})")
            .i_prompt == 0);
}

TEST_CASE("chat request: what the proxy must know of it", "[server][proxy]") {
  const auto request = read_chat_request(
      wire::JsonValue::parse(R"({"model":"m","n":3,"stream":true,"stream_options":{"include_usage":true}})"));
  CHECK(request.model == "m");
  CHECK(request.n_choices == 3);
  CHECK(request.is_streamed);
  CHECK(request.includes_usage);
  for (const char* bad : {"{}", R"({"model":5})", R"({"model":"m","n":0})", R"({"model":"m","n":129})",
                          R"({"model":"m","stream":1})"})
    CHECK_THROWS_AS(read_chat_request(wire::JsonValue::parse(bad)), BadRequestError);
}
