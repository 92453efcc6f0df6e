// SPDX-License-Identifier: Apache-2.0
#include "util/json.hpp"

#include <vector>

#include "q3g_catch.hpp"

using qwen3guard::ErrorCode;
using qwen3guard::detail::JsonFile;

TEST_CASE("json: elements stay valid when the file is moved", "[util][json]") {
  std::vector<JsonFile> files;
  // The vector grows, so every file is moved several times.
  for (int i = 0; i < 9; ++i) {
    auto parsed =
        JsonFile::parse("{\"key\": [" + std::to_string(i) + ", \"text\"]}", "name", ErrorCode::bad_tokenizer);
    REQUIRE(parsed.ok());
    files.push_back(*std::move(parsed));
  }
  for (std::size_t i = 0; i < files.size(); ++i) {
    std::int64_t number = -1;
    REQUIRE(files[i].root()["key"].at(0).get(number) == simdjson::SUCCESS);
    CHECK(number == static_cast<std::int64_t>(i));
  }
}

TEST_CASE("json: errors carry the file's name and the caller's code", "[util][json]") {
  const std::string deep(5000, '[');
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("{\"a\":\xff}"), std::string("{} x"), deep}) {
    const auto parsed = JsonFile::parse(text, "folder/file.json", ErrorCode::bad_tokenizer);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().code == ErrorCode::bad_tokenizer);
    CHECK(parsed.error().detail.find("folder/file.json: not valid JSON") == 0);
  }
}
