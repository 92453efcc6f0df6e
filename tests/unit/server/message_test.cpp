// SPDX-License-Identifier: Apache-2.0
#include "server/http/message.hpp"

#include "q3g_catch.hpp"
#include "server/http/reply_head.hpp"

using namespace qwen3guard::server;

TEST_CASE("headers: found by their names in any case", "[server]") {
  const Headers headers = {{"Content-Type", "a"}, {"x-request-id", "b"}};
  CHECK(find(headers, "content-type") == "a");
  CHECK(find(headers, "X-Request-ID") == "b");
  CHECK(find(headers, "content").empty());
}

TEST_CASE("reply head: nothing in a value ends a line", "[server]") {
  const std::string head = reply_head(200, {{"x-request-id", "a\r\nset-cookie: b\n"}}, {5, false, true});
  CHECK(head.find("\r\nset-cookie") == std::string::npos);
  CHECK(head.find("x-request-id: a  set-cookie: b \r\n") != std::string::npos);
  CHECK(head.starts_with("HTTP/1.1 200 OK\r\n"));
  CHECK(head.find("content-length: 5\r\n") != std::string::npos);
  CHECK(head.ends_with("connection: keep-alive\r\n\r\n"));
}

TEST_CASE("reply head: a body without a length is chunked, or ends with the connection", "[server]") {
  CHECK(reply_head(200, {}, {std::nullopt, true, true}).find("transfer-encoding: chunked\r\n") !=
        std::string::npos);
  const std::string plain = reply_head(200, {}, {std::nullopt, false, false});
  CHECK(plain.find("transfer-encoding") == std::string::npos);
  CHECK(plain.find("content-length") == std::string::npos);
  CHECK(plain.find("connection: close\r\n") != std::string::npos);
  CHECK(chunk(std::string(26, 'a')) == "1a\r\n" + std::string(26, 'a') + "\r\n");
}
