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

namespace {

/// Keeps what is replied.
class KeptExchange final : public Exchange {
 public:
  Request& request() noexcept override { return request_; }
  void reply(Response response) override { kept = std::move(response); }
  void begin(int, Headers) override {}
  void write(std::string_view) override {}
  void end() override {}
  void abort() override {}
  bool has_begun() const noexcept override { return false; }
  bool is_open() const noexcept override { return true; }
  std::size_t waiting_bytes() const noexcept override { return 0; }
  void on_drained(std::function<void()>) override {}
  void on_closed(std::function<void()>) override {}

  Response kept;

 private:
  Request request_;
};

Response spelled(const ApiError& error) { return {error.status, {{"x-code", error.code}}, error.message}; }

}  // namespace

TEST_CASE("replies: who is turned away hears when to come back", "[server]") {
  KeptExchange exchange;
  for (const auto& [seconds, header] : std::initializer_list<std::pair<double, const char*>>{
           {0.0, "1"}, {0.2, "1"}, {1.5, "2"}, {1e9, "3600"}}) {
    refuse(exchange, {429, "full", "", "", seconds});
    CHECK(exchange.kept.status == 429);
    CHECK(find(exchange.kept.headers, "retry-after") == header);
  }
  refuse(exchange, {503, "stopping", "", "", 1});
  CHECK(find(exchange.kept.headers, "retry-after") == "1");
  refuse(exchange, {400, "wrong", "", ""});
  CHECK(find(exchange.kept.headers, "retry-after").empty());
}

TEST_CASE("replies: an error is spelled as its path spells it", "[server]") {
  KeptExchange exchange;
  refuse(exchange, {400, "wrong", "input", ""}, {{"allow", "POST"}});
  CHECK(exchange.kept.body == error_body({400, "wrong", "input", ""}));
  CHECK(find(exchange.kept.headers, "allow") == "POST");
  exchange.spell_error = spelled;
  refuse(exchange, {429, "full", "", "queue_full", 2}, {{"allow", "POST"}});
  CHECK(exchange.kept.body == "full");
  CHECK(find(exchange.kept.headers, "x-code") == "queue_full");
  CHECK(find(exchange.kept.headers, "allow") == "POST");
  CHECK(find(exchange.kept.headers, "retry-after") == "2");
}
