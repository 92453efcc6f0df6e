// SPDX-License-Identifier: Apache-2.0
#include "server/http/query.hpp"

#include "q3g_catch.hpp"

using namespace qwen3guard::server;

TEST_CASE("query: values by their names, decoded", "[server]") {
  CHECK(query_value("key=abc", "key") == "abc");
  CHECK(query_value("alt=json&key=a%20b+c%2B&x", "key") == "a b c+");
  CHECK(query_value("api%2Dversion=2024-09-01", "api-version") == "2024-09-01");
  CHECK(query_value("a=b=c", "a") == "b=c");
  CHECK(query_value("x&key", "key") == "");
  CHECK(query_value("key=", "key") == "");
  CHECK(query_value("key=%00", "key") == std::string(1, '\0'));
}

TEST_CASE("query: the first of two counts, and no name is taken for another", "[server]") {
  CHECK(query_value("key=a&key=b", "key") == "a");
  CHECK(query_value("mykey=a&key2=b&Key=c", "key") == std::nullopt);
  CHECK(query_value("", "key") == std::nullopt);
  CHECK(query_value("&&=x&", "key") == std::nullopt);
}

TEST_CASE("query: an escape that is none stands as it was sent", "[server]") {
  for (const char* text : {"%", "%4", "%zz", "%4z", "% 4", "%-1", "%+1"}) {
    CAPTURE(text);
    std::string expected = text;
    for (char& c : expected) c = c == '+' ? ' ' : c;
    CHECK(query_value(std::string("k=") + text, "k") == expected);
  }
}
