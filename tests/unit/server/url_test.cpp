// SPDX-License-Identifier: Apache-2.0
#include "server/http/url.hpp"

#include <stdexcept>
#include <string>

#include "q3g_catch.hpp"

using namespace qwen3guard::server;

TEST_CASE("url: scheme, host, port and prefix", "[server]") {
  const Url plain = parse_url("http://example.org");
  CHECK_FALSE(plain.is_tls);
  CHECK(plain.host == "example.org");
  CHECK(plain.port == 80);
  CHECK(plain.prefix.empty());
  CHECK(plain.authority() == "example.org");

  const Url full = parse_url("https://api.example.org:8443/openai/v1//");
  CHECK(full.is_tls);
  CHECK(full.port == 8443);
  CHECK(full.prefix == "/openai/v1");
  CHECK(full.authority() == "api.example.org:8443");
  CHECK(parse_url("https://x:443").authority() == "x");
  CHECK(parse_url("https://x:80/").authority() == "x:80");

  const Url address = parse_url("http://[::1]:8000/v1");
  CHECK(address.host == "::1");
  CHECK(address.port == 8000);
  CHECK(address.authority() == "[::1]:8000");
  CHECK(parse_url("http://[::1]").port == 80);
}

TEST_CASE("url: everything else is refused with one clear line", "[server]") {
  for (const char* bad : {"",
                          "x",
                          "ftp://x",
                          "HTTP://x",
                          "http://",
                          "http:///v1",
                          "http://:80",
                          "http://x:",
                          "http://x:0",
                          "http://x:65536",
                          "http://x:-1",
                          "http://x:8 0",
                          "http://x y",
                          "http://user@x",
                          "http://x/?q",
                          "http://x/#f",
                          "http://x\\y",
                          "http://[::1",
                          "http://[::1]x",
                          "http://[]",
                          "http://[x]",
                          "http://\xC3\xA9",
                          "http://a/\n",
                          "http://a:b:1"}) {
    CAPTURE(bad);
    try {
      static_cast<void>(parse_url(bad));
      FAIL("it was taken");
    } catch (const std::runtime_error& e) {
      CHECK(std::string(e.what()).find("expected http://") != std::string::npos);
      CHECK(std::string(e.what()).find('\n') == std::string::npos);
    }
  }
}
