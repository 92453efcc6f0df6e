// SPDX-License-Identifier: Apache-2.0
#include "server/http/message.hpp"

#include "q3g_catch.hpp"
#include "server/http/reply_head.hpp"
#include "server/http/request_id.hpp"
#include "server/local_host.hpp"

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

TEST_CASE("request ids: a client's own where it is fit, else one of ours", "[server]") {
  CHECK(request_id_of("abc-1.2:Z_9") == "abc-1.2:Z_9");
  for (const std::string& given : {std::string(), std::string("a b"), std::string("a\"b"),
                                   std::string(129, 'a'), std::string("\xC3\xA4")})
    CHECK(request_id_of(given).starts_with("req-"));
  CHECK(request_id_of("") != request_id_of(""));
}

TEST_CASE("hosts: what no name server can lead elsewhere", "[server]") {
  for (const char* host : {"", "127.0.0.1", "127.0.0.1:8080", "[::1]:8080", "[::1]", "localhost",
                           "LocalHost:1", "a.localhost:80", "guard.lan:9"}) {
    CAPTURE(host);
    CHECK(is_trusted_host(host, {"guard.lan"}));
  }
  for (const char* host : {"evil.example", "evil.example:8080", "127.0.0.1.evil.example",
                           "localhost.evil.example", "notlocalhost", "guard.lan.evil.example"}) {
    CAPTURE(host);
    CHECK_FALSE(is_trusted_host(host, {"guard.lan"}));
  }
}

TEST_CASE("origins: the server's own page, and the one that it was told", "[server]") {
  CHECK(is_trusted_origin("", "127.0.0.1:8080", ""));
  CHECK(is_trusted_origin("http://127.0.0.1:8080", "127.0.0.1:8080", ""));
  CHECK(is_trusted_origin("https://a.example", "127.0.0.1:8080", "*"));
  CHECK(is_trusted_origin("https://a.example", "127.0.0.1:8080", "https://a.example"));
  for (const char* origin : {"null", "http://127.0.0.1:9090", "http://evil.example", "127.0.0.1:8080",
                             "http://127.0.0.1:8080.evil.example"}) {
    CAPTURE(origin);
    CHECK_FALSE(is_trusted_origin(origin, "127.0.0.1:8080", ""));
    CHECK_FALSE(is_trusted_origin(origin, "127.0.0.1:8080", "https://a.example"));
  }
}
