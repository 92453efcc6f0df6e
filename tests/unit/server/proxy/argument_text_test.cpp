// SPDX-License-Identifier: Apache-2.0
#include "server/doors/proxy/argument_text.hpp"

#include <random>
#include <vector>

#include "q3g_catch.hpp"
#include "wire/json_text.hpp"

using namespace qwen3guard;
using namespace qwen3guard::server;

namespace {

std::string whole(std::string_view text) {
  ArgumentText arguments;
  std::string out = arguments.take(text);
  return out += arguments.end();
}

}  // namespace

TEST_CASE("argument text: escapes of characters become the characters", "[server][proxy]") {
  CHECK(whole(R"({"a": "\u0062om\u0062"})") == R"({"a": "bomb"})");
  CHECK(whole(R"("\u00e9\u4E2d\ud83d\ude00")") == "\"\xC3\xA9\xE4\xB8\xAD\xF0\x9F\x98\x80\"");
  // What would be other JSON stays, and so does what is no escape.
  for (const char* same : {R"("\u0022\u005c\u0000\u001f")", R"("\n\t\"\\\/")", R"("\\u0062")",
                           R"("\\\\u0062")", R"("\ud83d")", R"("\ud83dx")", R"("\ude00")", R"("\ud83d\n")",
                           R"("\u12)", R"("\u12g4")", R"(\)", R"(\\)", R"(\ud83d\)", R"(\ud83d\u12)"}) {
    CAPTURE(same);
    CHECK(whole(same) == same);
  }
  CHECK(whole(R"("\\\u0062")") == R"("\\b")");
  CHECK(whole(R"("\ud83d\u0062")") == R"("\ud83db")");
  CHECK(whole(R"("\ud83d\ud83d\ude00")") == "\"\\ud83d\xF0\x9F\x98\x80\"");
  CHECK(whole(R"("\u12\u0062")") == R"("\u12b")");
}

TEST_CASE("argument text: the same JSON, however it is cut", "[server][proxy]") {
  const unsigned seed = std::random_device{}();
  INFO("seed " << seed);
  std::mt19937 random(seed);
  const std::vector<std::string> parts = {"\\u00e9", "\\ud83d", "\\ude00", "\\u0022", "\\u005C", "\\u0061",
                                          "\\\\",    "\\n",     "\\\"",    "a",       "u00e9",   "\xC3\xA9"};
  for (int round = 0; round < 500; ++round) {
    std::string text = "\"";
    for (int i = 0; i < 12; ++i) text += parts[random() % parts.size()];
    text += '"';
    ArgumentText arguments;
    std::string out;
    for (std::size_t begin = 0; begin < text.size();) {
      const std::size_t n = 1 + random() % 4;
      out += arguments.take(std::string_view(text).substr(begin, n));
      begin += n;
    }
    out += arguments.end();
    CAPTURE(text);
    CHECK(out == whole(text));
    CHECK(wire::JsonValue::parse(out).text() == wire::JsonValue::parse(text).text());
  }
}
