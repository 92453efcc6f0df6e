// SPDX-License-Identifier: Apache-2.0
#include "server/doors/perspective/google_error.hpp"

#include "q3g_catch.hpp"
#include "server/doors/perspective/discovery.hpp"
#include "wire/json_text.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

TEST_CASE("Google's errors: code, message, status and details", "[server]") {
  const Response reply = google_error({400, "it is empty", "comment.text", kCommentEmpty});
  CHECK(reply.status == 400);
  CHECK(find(reply.headers, "content-type") == "application/json");
  CHECK(
      reply.body ==
      R"({"error":{"code":400,"message":"it is empty","status":"INVALID_ARGUMENT","details":[)"
      R"({"@type":"type.googleapis.com/google.commentanalyzer.v1alpha1.Error","errorType":"COMMENT_EMPTY"},)"
      R"({"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"comment.text"}]}]}})");
  CHECK(google_error({503, "stopping", "", ""}).body ==
        R"({"error":{"code":503,"message":"stopping","status":"UNAVAILABLE","details":[]}})");
}

TEST_CASE("Google's errors: every status has a name, every refusal of a comment a type", "[server]") {
  const auto name_of = [](int status) {
    const Response reply = google_error({status, "m", "", "c"});
    return wire::JsonValue::parse(reply.body).find("error")->find("status")->text();
  };
  CHECK(name_of(401) == "UNAUTHENTICATED");
  CHECK(name_of(403) == "PERMISSION_DENIED");
  CHECK(name_of(404) == "NOT_FOUND");
  CHECK(name_of(405) == "UNIMPLEMENTED");
  CHECK(name_of(413) == "INVALID_ARGUMENT");
  CHECK(name_of(429) == "RESOURCE_EXHAUSTED");
  CHECK(name_of(500) == "INTERNAL");
  CHECK(name_of(501) == "UNIMPLEMENTED");
  CHECK(name_of(504) == "DEADLINE_EXCEEDED");
  const auto type_of = [](const char* code) {
    const Response reply = google_error({400, "m", "", code});
    return wire::JsonValue::parse(reply.body)
        .find("error")
        ->find("details")
        ->items()
        .at(0)
        .find("errorType")
        ->text();
  };
  CHECK(type_of("context_length_exceeded") == "COMMENT_TOO_LONG");
  CHECK(type_of(kNoRequestedAttributes) == "NO_REQUESTED_ATTRIBUTES");
  CHECK(type_of("invalid_json") == "INVALID_REQUEST");
  CHECK(type_of("LANGUAGE_NOT_SUPPORTED_BY_ATTRIBUTE") == "INVALID_REQUEST");
}

TEST_CASE("discovery: a document that is JSON, with every schema that it refers to", "[server]") {
  const std::string text = discovery_document("http://localhost:8080/");
  const wire::JsonValue document = wire::JsonValue::parse(text);
  CHECK(document.find("rootUrl")->text() == "http://localhost:8080/");
  constexpr std::string_view kReference = R"("$ref": ")";
  std::size_t n = 0;
  for (std::size_t at = text.find(kReference); at != std::string::npos; at = text.find(kReference, at)) {
    at += kReference.size();
    const std::string name = text.substr(at, text.find('"', at) - at);
    CHECK(document.find("schemas")->find(name)->find("id")->text() == name);
    ++n;
  }
  CHECK(n > 10);
}

TEST_CASE("discovery: a host is an address, and nothing that leaves a string", "[server]") {
  for (const char* host : {"localhost", "127.0.0.1:8080", "[::1]:80", "guard.example.org"})
    CHECK(is_host_and_port(host));
  for (const char* host : {"", "a b", "a\"b", "a/b", "a\\b", "user@host"})
    CHECK_FALSE(is_host_and_port(host));
}
