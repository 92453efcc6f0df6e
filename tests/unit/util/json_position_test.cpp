// SPDX-License-Identifier: Apache-2.0
#include "util/json_position.hpp"

#include <string>
#include <vector>

#include "q3g_catch.hpp"

namespace {

using qwen3guard::detail::find_json_fault;
using qwen3guard::detail::find_json_value;
using qwen3guard::detail::line_and_column;

// The text up to the place, which a person can read.
std::string before_value(const std::string& text, const std::vector<std::size_t>& path) {
  return text.substr(0, find_json_value(text, path));
}

TEST_CASE("a value's place is where its key is, or the value") {
  const std::string text = R"( {"a": [1, {"b": "x\"]", "c" : [[], {}, null]}, -2.5e3], "d": true} )";
  CHECK(before_value(text, {}) == " ");
  CHECK(before_value(text, {0}) == " {");
  CHECK(before_value(text, {0, 0}) == R"( {"a": [)");
  CHECK(before_value(text, {0, 1}) == R"( {"a": [1, )");
  CHECK(before_value(text, {0, 1, 1}) == R"( {"a": [1, {"b": "x\"]", )");
  CHECK(before_value(text, {0, 1, 1, 2}) == R"( {"a": [1, {"b": "x\"]", "c" : [[], {}, )");
  CHECK(before_value(text, {0, 2}) == R"( {"a": [1, {"b": "x\"]", "c" : [[], {}, null]}, )");
  CHECK(before_value(text, {1}) == R"( {"a": [1, {"b": "x\"]", "c" : [[], {}, null]}, -2.5e3], )");
}

TEST_CASE("text stops being JSON at a byte") {
  // Each: what is JSON so far, and what is behind it.
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", ""},
      {"  ", ""},
      {R"({"a": 1 )", R"("b": 2})"},
      {R"({"a": 1,)", "}"},
      {"[1, 2,", "]"},
      {"[", ",1]"},
      {R"({"a")", "1}"},
      {"{", "'a': 1}"},
      {"{", "// why\n}"},
      {R"({"a": )", "nul}"},
      {R"({"a": )", "+1}"},
      {R"({"a": )", "01}"},
      {R"({"a": )", "1e999}"},
      {R"({"a": )", "NaN}"},
      {R"({"a": )", "\"\\q\"}"},
      {R"({"a": )", "\"\\ud800\"}"},
      {R"({"a": )", "\"no end"},
      {R"({"a": )", "\"a\tb\"}"},
      {R"({"a": 1} )", "x"},
      {R"({"a": 1} )", "{}"},
      {R"({"a": [1)", "}"},
      {"[", ""},
      {R"({"a":)", ""},
      {"{\"a\": \"\xC3\xA4", "\xFF\"}"},
  };
  for (const auto& [good, bad] : table) {
    CAPTURE(good, bad);
    CHECK(find_json_fault(good + bad) == good.size());
  }
  for (const char* text : {"{}", " [1, \"a\", {\"b\": [[]]}, null, 1e5] ", "7", "\"x\""}) {
    CAPTURE(text);
    CHECK(!find_json_fault(text));
  }
}

TEST_CASE("lines and columns count from 1, columns in characters") {
  const std::string text =
      "ab\r\n\xC3\xA4\xE2\x82\xAC"
      "c\n";
  const auto at = [&](std::size_t byte) {
    const auto where = line_and_column(text, byte);
    return std::pair(where.line, where.column);
  };
  CHECK(at(0) == std::pair<std::size_t, std::size_t>(1, 1));
  CHECK(at(3) == std::pair<std::size_t, std::size_t>(1, 4));
  CHECK(at(4) == std::pair<std::size_t, std::size_t>(2, 1));
  CHECK(at(6) == std::pair<std::size_t, std::size_t>(2, 2));
  CHECK(at(9) == std::pair<std::size_t, std::size_t>(2, 3));
  CHECK(at(text.size()) == std::pair<std::size_t, std::size_t>(3, 1));
  CHECK(at(text.size() + 9) == std::pair<std::size_t, std::size_t>(3, 1));
}

}  // namespace
