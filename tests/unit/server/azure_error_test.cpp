// SPDX-License-Identifier: Apache-2.0
#include "server/doors/azure/azure_error.hpp"

#include <string>

#include "q3g_catch.hpp"
#include "wire/json_text.hpp"

using namespace qwen3guard::server;

TEST_CASE("Azure's errors: a code of its own for each status, in the body and in the header", "[server]") {
  struct Row {
    int status;
    const char* code;
  };
  for (const Row& row : std::initializer_list<Row>{{400, "InvalidRequestBody"},
                                                   {401, "401"},
                                                   {403, "Forbidden"},
                                                   {404, "ResourceNotFound"},
                                                   {405, "MethodNotAllowed"},
                                                   {429, "TooManyRequests"},
                                                   {500, "InternalError"},
                                                   {501, "NotImplemented"},
                                                   {502, "InternalError"},
                                                   {503, "ServerBusy"},
                                                   {504, "ServerBusy"}}) {
    const Response response = azure_error({row.status, "why", "text", "ours"});
    CHECK(response.status == row.status);
    CHECK(find(response.headers, "content-type") == "application/json");
    CHECK(find(response.headers, "x-ms-error-code") == row.code);
    CHECK(response.body ==
          std::string(R"({"error":{"code":")") + row.code +
              R"(","message":"why","target":"text","details":[],"innererror":{"code":"ours"}}})");
  }
}

TEST_CASE("Azure's errors: what says nothing is not there", "[server]") {
  CHECK(azure_error({400, "why", "", ""}).body ==
        R"({"error":{"code":"InvalidRequestBody","message":"why","details":[]}})");
  for (const char* code : {kMissingApiVersion, kUnsupportedApiVersion}) {
    const Response response = azure_error({400, "why", "api-version", code});
    CHECK(find(response.headers, "x-ms-error-code") == code);
    CHECK(response.body.find("innererror") == std::string::npos);
  }
}
