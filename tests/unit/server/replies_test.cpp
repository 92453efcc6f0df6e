// SPDX-License-Identifier: Apache-2.0
#include "server/replies.hpp"

#include "q3g_catch.hpp"
#include "wire/json_text.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

TEST_CASE("replies: no error of the library becomes a success", "[server]") {
  for (int code = 0; code <= 16; ++code) {
    const ApiError error = api_error(Error{static_cast<ErrorCode>(code), "why"});
    CAPTURE(code);
    CHECK(error.status >= 400);
    if (static_cast<ErrorCode>(code) == ErrorCode::budget_exceeded) continue;  // names no C++
    CHECK(error.message.find("why") != std::string::npos);
    const std::string body = error_body(error);
    const auto json = wire::JsonValue::parse(body);
    CHECK(json.find("error")->find("message")->text() == error.message);
    CHECK(json.find("error")->find("type")->text().ends_with("_error"));
    CHECK(json.find("error")->find("param")->raw() == "null");
  }
}

TEST_CASE("replies: who is turned away hears when to come back", "[server]") {
  for (const auto& [seconds, header] : std::initializer_list<std::pair<double, const char*>>{
           {0.0, "1"}, {0.2, "1"}, {1.5, "2"}, {1e9, "3600"}}) {
    const Response response = busy_response({429, "full", "", ""}, seconds);
    CHECK(response.status == 429);
    CHECK(find(response.headers, "retry-after") == header);
  }
}
