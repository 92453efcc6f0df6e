// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/sse_reader.hpp"

#include <random>

#include "q3g_catch.hpp"

using namespace qwen3guard::server;

namespace {

using Events = std::vector<std::string>;

Events read_all(std::string_view bytes) { return SseReader(1000).read(bytes); }

}  // namespace

TEST_CASE("sse reader: events are their data lines", "[server][proxy]") {
  CHECK(read_all("data: a\n\n") == Events{"a"});
  CHECK(read_all("data:a\n\ndata:  b\n\n") == Events{"a", " b"});
  CHECK(read_all("data: a\ndata\ndata: b\n\n") == Events{"a\n\nb"});
  CHECK(read_all("data\n\n") == Events{""});
  CHECK(read_all("\xEF\xBB\xBF"
                 "data: a\n\n") == Events{"a"});
  CHECK(read_all(": comment\nevent: x\nid: 1\nretry: 5\nunknown\ndatax: y\ndata: a\n\n") == Events{"a"});
  CHECK(read_all("\n\n\r\r\n").empty());
  CHECK(read_all("event: x\n\n").empty());
  // What the stream ends in is no event.
  CHECK(read_all("data: a").empty());
  CHECK(read_all("data: a\n").empty());
  for (const char* end : {"\n", "\r", "\r\n"}) {
    const std::string e = end;
    CHECK(read_all("data: a" + e + "data: b" + e + e + "data: c" + e + e) == Events{"a\nb", "c"});
  }
}

TEST_CASE("sse reader: how bytes are cut changes nothing", "[server][proxy]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> parts = {
      "data: ", "data", ":", " ", "\n", "\r", "\r\n", "\n\n", "x", "\xEF\xBB\xBF", "[DONE]", "event: y"};
  for (int round = 0; round < 500; ++round) {
    std::string text;
    for (int i = 0; i < 30; ++i) text += parts[random() % parts.size()];
    const Events whole = read_all(text);
    SseReader reader(1000);
    Events pieces;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t n = 1 + random() % 4;
      for (auto& event : reader.read(std::string_view(text).substr(begin, n)))
        pieces.push_back(std::move(event));
      begin += n;
    }
    CAPTURE(text);
    CHECK(pieces == whole);
  }
}

TEST_CASE("sse reader: what is too long is never kept", "[server][proxy]") {
  const std::string fits(994, 'x');
  SseReader reader(1000);
  CHECK(reader.read("data: " + fits + "\n\n") == Events{fits});
  CHECK_FALSE(reader.is_too_long());
  CHECK(reader.read("data: " + fits + "y\n\n").empty());
  CHECK(reader.is_too_long());
  CHECK(reader.read("data: a\n\n").empty());

  SseReader lines(1000);
  for (int i = 0; i < 20; ++i) CHECK(lines.read("data: " + std::string(100, 'x') + "\n").empty());
  CHECK(lines.is_too_long());
}
