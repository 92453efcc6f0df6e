// SPDX-License-Identifier: Apache-2.0
#include <string>
#include <vector>

#include "cli/try/token_painter.hpp"
#include "q3g_catch.hpp"

using namespace qwen3guard;
using namespace qwen3guard::cli;

namespace {

struct Token {
  Severity severity;
  std::string text;
};

std::string painted(const std::vector<Token>& tokens, bool color) {
  std::string out;
  const Screen screen = {[&](std::string_view text) { out += text; }, color};
  TokenPainter painter(screen);
  for (const Token& token : tokens) painter.paint(token.severity, token.text);
  painter.finish();
  return out;
}

constexpr Severity kSafe = Severity::safe, kControversial = Severity::controversial,
                   kUnsafe = Severity::unsafe, kNotJudged = Severity::not_judged;

}  // namespace

TEST_CASE("try painter: neighbours of one severity share a bracket", "[cli]") {
  CHECK(painted({}, false).empty());
  CHECK(painted({{kSafe, "a"}, {kSafe, " b"}}, false) == "a b");
  CHECK(painted({{kSafe, "a"}, {kUnsafe, " b"}, {kUnsafe, " c"}, {kSafe, " d"}}, false) == "a[U:  b c] d");
  CHECK(painted({{kControversial, "a"}, {kUnsafe, "b"}, {kNotJudged, "c"}}, false) == "[C: a][U: b][?: c]");
}

TEST_CASE("try painter: each severity has its colour", "[cli]") {
  CHECK(painted({{kSafe, "a"}}, true) == "\033[32ma\033[0m");
  CHECK(painted({{kControversial, "a"}}, true) == "\033[33ma\033[0m");
  CHECK(painted({{kUnsafe, "a"}}, true) == "\033[31ma\033[0m");
  CHECK(painted({{kNotJudged, "a"}}, true) == "\033[35ma\033[0m");
}

TEST_CASE("try painter: a character of several tokens looks as bad as the worst of them", "[cli]") {
  CHECK(painted({{kUnsafe, ""}, {kSafe, "x"}, {kSafe, "y"}}, false) == "[U: x]y");
  CHECK(painted({{kNotJudged, ""}, {kSafe, "x"}}, false) == "[?: x]");
  CHECK(painted({{kSafe, ""}, {kNotJudged, "x"}}, false) == "[?: x]");
  CHECK(painted({{kControversial, ""}, {kNotJudged, ""}, {kSafe, "x"}}, false) == "[C: x]");
  CHECK(painted({{kControversial, ""}, {kUnsafe, ""}, {kSafe, "x"}}, false) == "[U: x]");
}

TEST_CASE("try painter: a block is marked outside of brackets", "[cli]") {
  std::string out;
  const Screen screen = {[&](std::string_view text) { out += text; }, false};
  TokenPainter painter(screen);
  painter.paint(kUnsafe, "a");
  painter.mark_block();
  painter.paint(kUnsafe, "b");
  painter.finish();
  CHECK(out == "[U: a]|[U: b]");
}

TEST_CASE("try painter: text drives no terminal", "[cli]") {
  CHECK(painted({{kSafe, "a\033[2Jb\rc\xE2\x80\xAE"}}, false) == "a\\u001b[2Jb\\rc\\u202e");
  CHECK(painted({{kUnsafe, "\033[0m"}}, true) == "\033[31m\\u001b[0m\033[0m");
}

TEST_CASE("try painter: the legend names all four", "[cli]") {
  for (const bool color : {false, true}) {
    const std::string text = legend({nullptr, color});
    for (const Severity severity : {kSafe, kControversial, kUnsafe, kNotJudged})
      CHECK(text.find(to_string(severity)) != std::string::npos);
    CHECK((text.find('\033') != std::string::npos) == color);
  }
  CHECK(legend({nullptr, false}) == "Safe [C: Controversial] [U: Unsafe] [?: not judged]");
}
