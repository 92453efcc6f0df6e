// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_TOKENIZER_RANK_FILE_FIXTURE_HPP
#define QWEN3GUARD_TESTS_UNIT_TOKENIZER_RANK_FILE_FIXTURE_HPP

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tokenizer/base64.hpp"
#include "tokenizer_fixture.hpp"

namespace qwen3guard::test {

/// A line of a rank file.
inline std::string rank_line(std::string_view bytes, long long rank) {
  std::string out;
  detail::append_base64(bytes, out);
  return out + " " + std::to_string(rank) + "\n";
}

/// The 256 bytes, byte b having the rank b, on lines 1 to 256.
inline std::string byte_ranks() {
  std::string out;
  for (int byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(static_cast<unsigned char>(byte));
    out += rank_line({&text, 1}, byte);
  }
  return out;
}

/// The pattern of the Qwen family as JSON has it.
inline constexpr const char* kQwenPatternJson =
    R"("(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+")";

/// A rank file and its settings put together from their parts.
struct RankFileParts {
  std::string ranks = byte_ranks() + rank_line("ab", 256) + rank_line("abc", 257) + rank_line("bc", 258) +
                      rank_line(" a", 259);
  std::string pattern = kQwenPatternJson;
  std::string special = R"({"<|im_end|>":260,"<think>":261})";
  std::string more = R"(,"allowed_special":["<think>"],"normalizer":"NFC","explicit_n_vocab":262)";

  [[nodiscard]] std::string settings() const {
    return "{\"pat_str\":" + pattern + ",\"special_tokens\":" + special + more + "}";
  }
  [[nodiscard]] std::vector<std::pair<std::string, std::string>> files() const {
    return {{"x.tiktoken", ranks}, {"x.tiktoken.json", settings()}};
  }
  [[nodiscard]] Result<Tokenizer> load() const { return load_from(files()); }
};

}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_UNIT_TOKENIZER_RANK_FILE_FIXTURE_HPP
