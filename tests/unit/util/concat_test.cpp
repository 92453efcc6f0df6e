// SPDX-License-Identifier: Apache-2.0
#include "util/concat.hpp"

#include <cstdint>
#include <limits>
#include <type_traits>

#include "q3g_catch.hpp"
#include "util/error.hpp"

using namespace qwen3guard;
using detail::concat;
using detail::TextPart;

static_assert(std::is_constructible_v<TextPart, const std::string&>);
static_assert(std::is_constructible_v<TextPart, std::size_t>);
// What would be written as a number that nobody means.
static_assert(!std::is_constructible_v<TextPart, bool>);
static_assert(!std::is_constructible_v<TextPart, char>);
static_assert(!std::is_constructible_v<TextPart, ErrorCode>);

TEST_CASE("concat: texts of all kinds and numbers in order", "[util]") {
  const std::string name = "config.json";
  const std::string_view key = std::string_view("head_dim, and more").substr(0, 8);
  CHECK(concat() == "");
  CHECK(concat(name) == name);
  CHECK(concat(name, ": ", key, " is ", 7, ", expected ", std::size_t{8}) ==
        "config.json: head_dim is 7, expected 8");
  CHECK(concat(std::string("a\0b", 3), "c") == std::string("a\0bc", 4));
}

TEST_CASE("concat: numbers at their ends", "[util]") {
  CHECK(concat(std::numeric_limits<std::int64_t>::min()) == "-9223372036854775808");
  CHECK(concat(std::numeric_limits<std::uint64_t>::max()) == "18446744073709551615");
  CHECK(concat(std::int8_t{-5}, " ", std::uint8_t{200}) == "-5 200");
  CHECK(concat(0.7F, " ", 0.1) == "0.7 0.1");
  CHECK(concat(std::numeric_limits<double>::lowest()) == "-1.7976931348623157e+308");
  CHECK(concat(std::numeric_limits<double>::denorm_min()) == "5e-324");
}

TEST_CASE("error: a code and a sentence", "[util]") {
  const Status status = detail::error(ErrorCode::context_full, 12, " tokens do not fit");
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::context_full);
  CHECK(status.error().detail == "12 tokens do not fit");
}
