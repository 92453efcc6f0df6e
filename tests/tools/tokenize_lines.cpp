// SPDX-License-Identifier: Apache-2.0
// tokenize_lines TOKENIZER: for each line of standard input, a JSON string, prints the ids of both encodings
// as
// {"ids":[...],"ids_no_special":[...]}. The other side of tokenizer_differential.py.
#include <simdjson.h>

#include <cstdio>
#include <iostream>
#include <string>

#include "qwen3guard/tokenizer.hpp"

namespace {

void print_ids(const qwen3guard::Tokenizer& tokenizer, std::string_view text, qwen3guard::SpecialTokens mode,
               std::vector<qwen3guard::TokenId>& ids) {
  ids.clear();
  tokenizer.encode_to(text, mode, ids).throw_if_error();
  const char* separator = "";
  for (const auto id : ids) {
    std::printf("%s%d", separator, static_cast<int>(id));
    separator = ",";
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tokenize_lines TOKENIZER < strings.jsonl\n");
    return 2;
  }
  const auto tokenizer = qwen3guard::Tokenizer::load(argv[1]).value();
  simdjson::dom::parser parser;
  std::vector<qwen3guard::TokenId> ids;
  for (std::string line; std::getline(std::cin, line);) {
    const std::string_view text = parser.parse(line);
    std::printf("{\"ids\":[");
    print_ids(tokenizer, text, qwen3guard::SpecialTokens::recognized, ids);
    std::printf("],\"ids_no_special\":[");
    print_ids(tokenizer, text, qwen3guard::SpecialTokens::as_text, ids);
    std::printf("]}\n");
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "tokenize_lines: %s\n", error.what());
  return 1;
}
