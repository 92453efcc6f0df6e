// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_UNIT_TOKENIZER_TOKENIZER_FIXTURE_HPP
#define QWEN3GUARD_TESTS_UNIT_TOKENIZER_TOKENIZER_FIXTURE_HPP

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/byte_level.hpp"
#include "tokenizer/qwen_scanner.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "util/model_files.hpp"
#include "util/utf8.hpp"

namespace qwen3guard::test {

inline std::string small_path(const std::string& name) {
  return std::string(Q3G_TEST_DIR) + "/golden/tokenizer/small/" + name;
}

inline Tokenizer small_tokenizer() { return Tokenizer::load(small_path("tokenizer.json")).value(); }

/// The published tokenizer.json; empty when it is not there.
inline std::string qwen3_path() {
  const char* const data = std::getenv("QWEN3GUARD_TEST_DATA");
  const std::string folder =
      data != nullptr && *data != '\0' ? data : std::string(Q3G_TEST_DIR) + "/../build/test_data";
  const std::string path = folder + "/qwen3_tokenizer/tokenizer.json";
  return std::filesystem::exists(path) ? path : std::string();
}

inline constexpr const char* kNoQwen3 =
    "no published vocabulary: run scripts/fetch_test_data.sh, or set QWEN3GUARD_TEST_DATA to its folder";

inline std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Loads from (name, content) pairs as if they were the files of a folder called "test".
inline Result<Tokenizer> load_from(const std::vector<std::pair<std::string, std::string>>& files) {
  std::vector<detail::MemoryFiles::Entry> entries;
  for (const auto& [name, content] : files)
    entries.push_back({name, std::as_bytes(std::span(content.data(), content.size()))});
  return detail::load_tokenizer(detail::MemoryFiles("test", std::move(entries)));
}

/// Bytes in byte-level characters, as JSON needs them: quotes and backslashes escaped.
inline std::string byte_level_json(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    for (std::uint32_t code_point = 0; code_point < detail::kByteLevelEnd; ++code_point) {
      if (detail::kByteOfCodePoint[code_point] != static_cast<unsigned char>(c)) continue;
      if (code_point == '"' || code_point == '\\') out.push_back('\\');
      detail::append_utf8(code_point, out);
    }
  }
  return out;
}

/// "\"a\":0,..." for the 256 bytes, byte b having the id b.
inline std::string byte_vocabulary() {
  std::string out;
  for (int byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(static_cast<unsigned char>(byte));
    out += (byte > 0 ? ",\"" : "\"") + byte_level_json({&text, 1}) + "\":" + std::to_string(byte);
  }
  return out;
}

/// A Split by `regex` (in JSON's escapes), then ByteLevel.
inline std::string split_by(const std::string& regex) {
  return R"({"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":")" + regex +
         R"("},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})";
}

/// A step that splits words: GPT-2's pattern, or without RE2 the one pattern that has a scanner.
inline std::string default_pre_tokenizer() {
#ifdef Q3G_WITHOUT_RE2
  std::string regex;
  for (const char c : detail::kQwenPattern) regex += c == '\\' ? std::string("\\\\") : std::string(1, c);
  return split_by(regex);
#else
  return R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":true})";
#endif
}

/// A tokenizer.json put together from the JSON text of its parts.
struct JsonParts {
  std::string vocabulary = byte_vocabulary() + R"(,"ab":256,"abc":257,"bc":258,"\u0120a":259)";
  std::string merges = R"(["a b","ab c",["b","c"],"\u0120 a"])";
  std::string added = R"([{"id":260,"content":"<|end|>","special":true},{"id":261,"content":"<t>"}])";
  std::string normalizer = R"({"type":"NFC"})";
  std::string pre_tokenizer = default_pre_tokenizer();
  std::string model_extra;

  [[nodiscard]] std::string json() const {
    return "{\"added_tokens\":" + added + ",\"normalizer\":" + normalizer +
           ",\"pre_tokenizer\":" + pre_tokenizer + ",\"model\":{\"type\":\"BPE\"" + model_extra +
           ",\"vocab\":{" + vocabulary + "},\"merges\":" + merges + "}}";
  }
  [[nodiscard]] Result<Tokenizer> load() const { return load_from({{"tokenizer.json", json()}}); }
};

/// Seeded random text that is rich in what pre-tokenisers and normalisers treat specially.
class RandomText {
 public:
  explicit RandomText(std::uint64_t seed) : engine_(seed) {}

  std::uint64_t below(std::uint64_t n) { return engine_() % n; }

  std::uint32_t scalar(std::uint32_t first, std::uint32_t last) {
    for (;;) {
      const auto code_point = static_cast<std::uint32_t>(first + below(last - first + 1));
      if (code_point < 0xD800 || code_point > 0xDFFF) return code_point;
    }
  }

  std::string next() {
    static constexpr std::string_view kPieces[] = {" ",
                                                   "  ",
                                                   "\n",
                                                   "\r\n",
                                                   "\t",
                                                   "\xC2\x85",
                                                   "\xC2\xA0",
                                                   "\xE2\x80\xA8",
                                                   "\xE3\x80\x80",
                                                   "'s",
                                                   "'S",
                                                   "'\xC5\xBF",
                                                   "'r",
                                                   "'Re",
                                                   "'",
                                                   "''",
                                                   "42",
                                                   "abc",
                                                   "the",
                                                   "don't",
                                                   "A\xCC\x8A",
                                                   "\xCC\x81",
                                                   "-",
                                                   "=="};
    static constexpr std::pair<std::uint32_t, std::uint32_t> kRanges[] = {
        {0, 0x7F},        {0x80, 0x24F},      {0x300, 0x36F},   {0x370, 0x5FF},
        {0x600, 0x6FF},   {0x900, 0xDFF},     {0x1100, 0x11FF}, {0x1AB0, 0x1AFF},
        {0x2000, 0x206F}, {0x4E00, 0x4FFF},   {0xAC00, 0xAFFF}, {0xE000, 0xE0FF},
        {0xF900, 0xFFFF}, {0x10000, 0x1FFFF}, {0, 0x10FFFF},    {0x1D165, 0x1D172}};
    static constexpr std::string_view kTokens[] = {"<|im_end|>", "<think>",       "</think>", "<|im_",
                                                   "end|>",      "<|endoftext|>", "<",        "|>",
                                                   "<left>",     "<right>"};
    std::string out;
    for (std::uint64_t n = below(14); n > 0; --n) {
      const std::uint64_t kind = below(10);
      if (kind < 4) {
        out += kPieces[below(std::size(kPieces))];
      } else if (kind < 8) {
        const auto [first, last] = kRanges[below(std::size(kRanges))];
        for (std::uint64_t i = below(5) + 1; i > 0; --i) detail::append_utf8(scalar(first, last), out);
      } else if (kind == 8) {
        out += kTokens[below(std::size(kTokens))];
      } else {
        std::string one;
        detail::append_utf8(scalar(0x20, 0x3FF), one);
        for (std::uint64_t i = below(100); i > 0; --i) out += one;
      }
    }
    return out;
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace qwen3guard::test

#endif  // QWEN3GUARD_TESTS_UNIT_TOKENIZER_TOKENIZER_FIXTURE_HPP
