// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/analyze_request.hpp"

#include <string>

#include "q3g_catch.hpp"
#include "server/doors/perspective/google_error.hpp"
#include "wire/line_error.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

AnalyzeRequest read(const std::string& json) { return read_analyze_request(wire::JsonValue::parse(json)); }

/// A request with more members.
std::string with(const std::string& more) {
  return R"({"comment": {"text": "hi"}, "requestedAttributes": {"TOXICITY": {}}, )" + more + "}";
}

/// What a refusal says; "" when there is none.
std::string refusal(const std::string& json) {
  try {
    static_cast<void>(read(json));
  } catch (const BadRequestError& e) {
    return e.what();
  } catch (const wire::LineError& e) {
    return e.what();
  }
  return "";
}

std::string type_of_refusal(const std::string& json) {
  try {
    static_cast<void>(read(json));
  } catch (const AnalyzeError& e) {
    return e.type;
  }
  return "";
}

}  // namespace

TEST_CASE("comments:analyze: everything that can be said is read", "[server]") {
  const AnalyzeRequest request = read(R"({
    "comment": {"text": "h\u00e9", "type": "PLAIN_TEXT"},
    "context": {"entries": [{"text": "before", "type": "PLAIN_TEXT"}, {}]},
    "requestedAttributes": {"THREAT": {"scoreType": "PROBABILITY", "scoreThreshold": 0.25}, "INSULT": null},
    "languages": ["en", "hi-Latn"], "doNotStore": true, "clientToken": "t", "sessionId": "s", "communityId": "c",
    "spanAnnotations": true, "dropUnsupportedAttributes": false})");
  CHECK(request.text == "h\u00e9");
  REQUIRE(request.wanted.size() == 2);
  CHECK(request.wanted[0].attribute->name == "THREAT");
  CHECK(request.wanted[0].threshold == 0.25);
  CHECK(request.wanted[1].attribute->name == "INSULT");
  CHECK(request.wanted[1].threshold == 0);
  CHECK(request.languages == std::vector<std::string>{"en", "hi-Latn"});
  CHECK(request.client_token == "t");
  CHECK(request.wants_spans);
  CHECK(request.is_private);

  const AnalyzeRequest least = read(R"({"comment": {"text": " "}, "requestedAttributes": {"TOXICITY": {}}})");
  CHECK_FALSE(least.wants_spans);
  CHECK_FALSE(least.is_private);
  CHECK_FALSE(least.client_token.has_value());
  CHECK(least.languages.empty());
}

TEST_CASE("comments:analyze: a comment that is empty or too long has its type of error", "[server]") {
  const std::string wanted = R"("requestedAttributes": {"TOXICITY": {}})";
  for (const std::string comment :
       {R"()", R"("comment": null, )", R"("comment": {}, )", R"("comment": {"text": ""}, )"})
    CHECK(type_of_refusal(std::string("{").append(comment).append(wanted).append("}")) == kCommentEmpty);
  const std::string longest(kMaxCommentBytes, 'a');
  CHECK(refusal(R"({"comment": {"text": ")" + longest + "\"}, " + wanted + "}").empty());
  CHECK(type_of_refusal(R"({"comment": {"text": ")" + longest + "a\"}, " + wanted + "}") == kCommentTooLong);
  CHECK(type_of_refusal(R"({"comment": {"text": "hi"}})") == kNoRequestedAttributes);
  CHECK(type_of_refusal(R"({"comment": {"text": "hi"}, "requestedAttributes": {}})") ==
        kNoRequestedAttributes);
}

TEST_CASE("comments:analyze: attributes without a counterpart are refused by name, or dropped", "[server]") {
  const auto body = [](const std::string& names, bool may_drop) {
    return R"({"comment": {"text": "hi"}, "requestedAttributes": {)" + names +
           R"(}, "dropUnsupportedAttributes": )" + (may_drop ? "true}" : "false}");
  };
  const std::string some = R"("TOXICITY": {}, "PROFANITY": {}, "SPAM": {})";
  CHECK_THAT(refusal(body(some, false)), Catch::Contains(R"("PROFANITY", "SPAM")") &&
                                             Catch::Contains("offered are TOXICITY, SEVERE_TOXICITY"));
  CHECK(read(body(some, true)).wanted.size() == 1);
  CHECK(type_of_refusal(body(R"("SPAM": {})", true)) == kNoRequestedAttributes);
  // A misspelt name is not one that may be dropped.
  CHECK_THAT(refusal(body(R"("TOXICITY": {}, "TOXICTY": {})", true)), Catch::Contains(R"("TOXICTY")"));
}

TEST_CASE("comments:analyze: what is not understood is refused, with the place", "[server]") {
  const auto says = [](const std::string& more, const char* words) {
    INFO(more);
    CHECK_THAT(refusal(with(more)), Catch::Contains(words));
  };
  says(R"("doNotStor": true)", "doNotStor: unknown");
  says(R"("doNotStore": "true")", "doNotStore: a string; expected true or false");
  says(R"("spanAnnotations": 1)", "spanAnnotations: a number");
  says(R"("clientToken": 5)", "clientToken: a number");
  says(R"("sessionId": {})", "sessionId: an object");
  says(R"("languages": "en")", "languages: a string; expected an array");
  says(R"("languages": [""])", "languages[0]");
  says(R"("languages": ["en", "x\u0000"])", "languages[1]");
  says(R"("languages": [1])", "languages[0]");
  says(R"("context": [])", "context: an array; expected an object");
  says(R"("context": {"entries": {}})", "context.entries: an object; expected an array");
  says(R"("context": {"entries": [{"text": "a"}, "b"]})", "context.entries[1]: a string");
  says(R"("context": {"entries": [{"text": 1}]})", "context.entries[0].text: a number");
  says(R"("context": {"entries": [], "articleAndParentComment": {}})", "expected one of them");
  says(R"("context": {"articleAndParentComment": {"parent": {}}})",
       "articleAndParentComment.parent: unknown");
}

TEST_CASE("comments:analyze: a comment, its type and the options of attributes are checked", "[server]") {
  const auto says = [](const std::string& comment, const std::string& wanted, const char* words) {
    const std::string body = "{\"comment\": " + comment + ", \"requestedAttributes\": " + wanted + "}";
    INFO(body);
    CHECK_THAT(refusal(body), Catch::Contains(words));
  };
  const std::string good = R"({"TOXICITY": {}})", hi = R"({"text": "hi"})";
  says(R"("hi")", good, "comment: a string; expected an object");
  says(R"({"text": 1})", good, "comment.text: a number");
  says(R"({"text": "\ud83d"})", good, "comment.text");
  says(R"({"text": "hi", "type": "HTML"})", good, "comment.type: HTML");
  says(R"({"text": "hi", "type": "PLAIN TEXT"})", good, "comment.type");
  says(R"({"text": "hi", "html": ""})", good, "comment.html: unknown");
  says(hi, R"(["TOXICITY"])", "requestedAttributes: an array");
  says(hi, R"({"TOXICITY": true})", "requestedAttributes.TOXICITY: a boolean");
  says(hi, R"({"TOXICITY": {"scoreType": "RAW"}})", "scoreType: \"RAW\"; expected PROBABILITY");
  for (const char* threshold : {"80", "-0.1", "1e999", "\"0.5\"", "true", "[]"})
    says(hi, R"({"TOXICITY": {"scoreThreshold": )" + std::string(threshold) + "}}",
         "expected a number from 0 to 1");
}
