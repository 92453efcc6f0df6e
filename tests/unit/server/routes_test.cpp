// SPDX-License-Identifier: Apache-2.0
#include "server/routes.hpp"

#include "q3g_catch.hpp"

using namespace qwen3guard::server;

namespace {

Routes make_routes() {
  Routes routes;
  for (const auto& [method, pattern] :
       std::initializer_list<std::pair<const char*, const char*>>{{"POST", "/v1/stream"},
                                                                  {"POST", "/v1/stream/{id}"},
                                                                  {"DELETE", "/v1/stream/{id}"},
                                                                  {"GET", "/v1/stream/{id}/events"}})
    routes.add({pattern, method, pattern, false, nullptr});
  return routes;
}

}  // namespace

TEST_CASE("routes: found by method and path, with what stands for the id", "[server]") {
  const Routes routes = make_routes();
  CHECK(routes.find("POST", "/v1/stream").route->pattern == "/v1/stream");
  const auto one = routes.find("DELETE", "/v1/stream/strm-1");
  REQUIRE(one.route != nullptr);
  CHECK(one.route->method == "DELETE");
  CHECK(one.id == "strm-1");
  const auto events = routes.find("GET", "/v1/stream/strm-1/events");
  REQUIRE(events.route != nullptr);
  CHECK(events.id == "strm-1");
  CHECK(routes.find("HEAD", "/v1/stream/a/events").route == events.route);
}

TEST_CASE("routes: no other path is taken for one of them", "[server]") {
  const Routes routes = make_routes();
  for (const char* path : {"", "/", "/v1/stream/", "/v1/streams", "/v1/stream/a/b", "/v1/stream//events",
                           "/v1/stream/a/events/", "/V1/stream", "/v1/stream/a%2Fevents/x"}) {
    CAPTURE(path);
    const auto found = routes.find("GET", path);
    CHECK(found.route == nullptr);
  }
}

TEST_CASE("routes: another method is told which ones there are", "[server]") {
  const auto found = make_routes().find("PUT", "/v1/stream/x");
  CHECK(found.route == nullptr);
  CHECK(found.allowed == "POST, DELETE");
  CHECK(make_routes().find("PUT", "/nowhere").allowed.empty());
}

TEST_CASE("routes: errors below a prefix are spelled as it says, of doors and of none", "[server]") {
  Routes routes = make_routes();
  const SpellError spell = [](const ApiError&) { return Response(); };
  routes.add_spelling("/v1/str", spell);
  CHECK(routes.find("POST", "/v1/stream").spell_error == spell);
  CHECK(routes.find("PUT", "/v1/stream").spell_error == spell);
  CHECK(routes.find("POST", "/v1/strange").spell_error == spell);
  CHECK(routes.find("POST", "/v1/other").spell_error == nullptr);
}
