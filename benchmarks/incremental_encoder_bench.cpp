// SPDX-License-Identifier: Apache-2.0
// What a text costs that is pushed a byte or a word at a time: nanoseconds for each byte, which should not
// depend on the text's length, whatever the text is. Needs the published vocabulary, as tokenizer_bench does.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <iterator>
#include <optional>
#include <random>
#include <string>
#include <string_view>

#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/incremental_encoder.hpp"
#include "util/utf8.hpp"

namespace {

using qwen3guard::InvalidUtf8;
using qwen3guard::Tokenizer;
using qwen3guard::detail::IncrementalEncoder;

const std::optional<Tokenizer>& tokenizer() {
  static const std::optional<Tokenizer> loaded = []() -> std::optional<Tokenizer> {
    const char* const data = std::getenv("QWEN3GUARD_TEST_DATA");
    const std::string folder = data != nullptr && *data != '\0' ? data : "build/test_data";
    auto result = Tokenizer::load(folder + "/qwen3_tokenizer/tokenizer.json");
    if (!result.ok()) return std::nullopt;
    return *std::move(result);
  }();
  return loaded;
}

/// Any of `units`, chosen at random, until there are n_bytes.
std::string any_of(std::string_view first, std::initializer_list<std::string_view> units,
                   std::size_t n_bytes) {
  std::mt19937 random(11);
  std::string text(first);
  while (text.size() < n_bytes) text += units.begin()[random() % units.size()];
  return text;
}

/// Any code points of [first, last].
std::string code_points(std::uint32_t first, std::uint32_t last, std::size_t n_bytes) {
  std::mt19937 random(12);
  std::string text;
  while (text.size() < n_bytes) {
    const auto n = static_cast<std::uint32_t>(random() % (last - first + 1));
    qwen3guard::detail::append_utf8(first + n, text);
  }
  return text;
}

std::string letters(std::size_t n_bytes) { return code_points('a', 'z', n_bytes); }

struct Pattern {
  const char* name;
  std::function<std::string(std::size_t n_bytes)> make;
};

const Pattern kPatterns[] = {
    {"english",
     [](std::size_t n) {
       return any_of(
           "",
           {"How ", "do I make a safe place", " for people", " to talk; ", "it's easy,", " (80 %)", "\n\n"},
           n);
     }},
    {"spaces", [](std::size_t n) { return std::string(n, ' '); }},
    {"newlines", [](std::size_t n) { return std::string(n, '\n'); }},
    {"letters", letters},
    {"digits", [](std::size_t n) { return code_points('0', '9', n); }},
    {"punctuation", [](std::size_t n) { return code_points('!', '/', n); }},
    {"one_mark", [](std::size_t n) { return any_of("e", {"\xCC\x81"}, n); }},
    {"marks",
     [](std::size_t n) {
       return any_of("e", {"\xCC\x81", "\xCC\x96", "\xCC\xB8"}, n);
     }},
    {"cjk", [](std::size_t n) { return code_points(0x4E00, 0x9FFF, n); }},
    {"emoji",
     [](std::size_t n) {
       return any_of(
           "",
           {"\xF0\x9F\x98\x80", "\xF0\x9F\x91\xA9\xE2\x80\x8D\xF0\x9F\x92\xBB", "\xE2\x9D\xA4\xEF\xB8\x8F"},
           n);
     }},
    {"base64",
     [](std::size_t n) {
       return any_of("", {"A", "b", "9", "x", "Q", "z", "3", "w", "+", "L", "m", "0", "/", "T"}, n);
     }},
    {"white_space",
     [](std::size_t n) {
       return any_of("", {" ", "  ", "\n", "\t"}, n);
     }},
};

enum class Push { bytes, words, with_rewinds, with_drops };

void push(benchmark::State& state, Push how) {
  if (!tokenizer()) return state.SkipWithError("no published vocabulary");
  const auto n_bytes = static_cast<std::size_t>(state.range(1));
  const std::string text = kPatterns[state.range(0)].make(n_bytes);
  state.SetLabel(kPatterns[state.range(0)].name);
  const std::size_t n_piece = how == Push::words ? 6 : 1;
  for (auto _ : state) {
    IncrementalEncoder encoder(*tokenizer(), InvalidUtf8::replace);
    for (std::size_t pos = 0; pos < text.size(); pos += n_piece) {
      encoder.append(std::string_view(text).substr(pos, n_piece)).throw_if_error();
      if (how == Push::with_rewinds && pos % 4 == 3) {
        encoder.undo();
        encoder.truncate(pos - 3).throw_if_error();
        encoder.append(std::string_view(text).substr(pos - 3, 4)).throw_if_error();
      }
      if (how == Push::with_drops && encoder.n_tokens() > 256) encoder.drop_before(encoder.n_tokens() - 256);
    }
    encoder.finish().throw_if_error();
    benchmark::DoNotOptimize(encoder.ids().data());
  }
  state.counters["ns/byte"] =
      benchmark::Counter(static_cast<double>(state.iterations()) * static_cast<double>(text.size()) / 1e9,
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
}

void patterns_and_sizes(benchmark::internal::Benchmark* benchmark) {
  for (std::int64_t pattern = 0; pattern < static_cast<std::int64_t>(std::size(kPatterns)); ++pattern) {
    for (const std::int64_t n_kib : {1, 4, 16, 64}) benchmark->Args({pattern, n_kib * 1024});
  }
  benchmark->Unit(benchmark::kMicrosecond)->MinTime(0.1);
}

BENCHMARK_CAPTURE(push, bytes, Push::bytes)->Apply(patterns_and_sizes);
BENCHMARK_CAPTURE(push, words, Push::words)->Apply(patterns_and_sizes);
BENCHMARK_CAPTURE(push, with_rewinds, Push::with_rewinds)->Apply(patterns_and_sizes);
BENCHMARK_CAPTURE(push, with_drops, Push::with_drops)->Apply(patterns_and_sizes);

}  // namespace
