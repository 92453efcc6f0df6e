// SPDX-License-Identifier: Apache-2.0
// Bytes per second of the tokenizer on one thread. With the published vocabulary where
// scripts/fetch_test_data.sh has put it (QWEN3GUARD_TEST_DATA, else build/test_data below the working
// folder), or with any other that QWEN3GUARD_BENCH_TOKENIZER names. Text of your own: QWEN3GUARD_BENCH_TEXT
// names a UTF-8 file.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "qwen3guard/tokenizer.hpp"
#include "tokenizer/snapshot.hpp"

namespace {

using qwen3guard::SpecialTokens;
using qwen3guard::TokenId;
using qwen3guard::Tokenizer;

constexpr std::size_t kDocumentBytes = 2048;  // about one chat message with its context

std::string from_environment(const char* name, const std::string& otherwise) {
  const char* const value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : otherwise;
}

std::string tokenizer_path() {
  const std::string data = from_environment("QWEN3GUARD_TEST_DATA", "build/test_data");
  return from_environment("QWEN3GUARD_BENCH_TOKENIZER", data + "/qwen3_tokenizer/tokenizer.json");
}

/// The text cut at character boundaries into documents of about kDocumentBytes.
std::vector<std::string> documents(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    std::size_t n = std::min(text.size(), kDocumentBytes);
    while (n < text.size() && (static_cast<unsigned char>(text[n]) & 0xC0) == 0x80) ++n;
    out.emplace_back(text.substr(0, n));
    text.remove_prefix(n);
  }
  return out;
}

/// One kind of text, repeated to 64 documents.
std::vector<std::string> repeated(std::string_view unit) {
  std::string text;
  while (text.size() < 64 * kDocumentBytes) text += unit;
  return documents(text);
}

constexpr std::string_view kEnglish =
    "How do I make a safe place for people to talk to each other? First, read what they wrote before you "
    "answer "
    "them; it's easy to misunderstand a short message. Second, don't assume the worst: most disagreements "
    "(about "
    "80 % of them, one 2019 study found) are about facts that nobody has looked up yet.\n\n";
constexpr std::string_view kCode =
    "    for (std::size_t i = 0; i + 1 < n; ++i) {\n        if (merges[i].rank < merges[best].rank) best = "
    "i;\n"
    "    }\n    return std::string(\"done\\n\");  // nothing left to merge\n";
constexpr std::string_view kChinese =
    "\xE4\xB8\xBA\xE4\xBB\x80\xE4\xB9\x88\xE5\xA4\xA9\xE7\xA9\xBA\xE6\x98\xAF\xE8\x93\x9D\xE8\x89\xB2\xE7\x9A"
    "\x84"
    "\xEF\xBC\x9F\xE8\xAF\xB7\xE7\x94\xA8\xE7\xAE\x80\xE5\x8D\x95\xE7\x9A\x84\xE8\xAF\x9D\xE8\xA7\xA3\xE9\x87"
    "\x8A"
    "\xEF\xBC\x8C\xE5\xB9\xB6\xE4\xB8\xBE\xE4\xB8\x80\xE4\xB8\xAA\xE4\xBE\x8B\xE5\xAD\x90\xE3\x80\x82\n";

/// Skips the benchmark and returns nothing when there is no tokenizer.
std::optional<Tokenizer> load(benchmark::State& state) {
  auto tokenizer = Tokenizer::load(tokenizer_path());
  if (tokenizer.ok()) return *std::move(tokenizer);
  state.SkipWithError(tokenizer.error().detail.c_str());
  return std::nullopt;
}

void encode(benchmark::State& state, const std::vector<std::string>& texts) {
  const auto tokenizer = load(state);
  if (!tokenizer) return;
  std::vector<TokenId> ids;
  std::size_t n_bytes = 0, n_tokens = 0;
  for (auto _ : state) {
    for (const std::string& text : texts) {
      ids.clear();
      tokenizer->encode_to(text, SpecialTokens::as_text, ids).throw_if_error();
      n_bytes += text.size();
      n_tokens += ids.size();
    }
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(n_bytes));
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(n_tokens), benchmark::Counter::kIsRate);
}

void BM_encode_english(benchmark::State& state) { encode(state, repeated(kEnglish)); }
void BM_encode_code(benchmark::State& state) { encode(state, repeated(kCode)); }
void BM_encode_chinese(benchmark::State& state) { encode(state, repeated(kChinese)); }
BENCHMARK(BM_encode_english);
BENCHMARK(BM_encode_code);
BENCHMARK(BM_encode_chinese);

/// A file with more different words than the texts above have.
void BM_encode_file(benchmark::State& state) {
  std::ifstream in(from_environment("QWEN3GUARD_BENCH_TEXT", ""), std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  if (text.empty()) return state.SkipWithError("QWEN3GUARD_BENCH_TEXT names no text");
  encode(state, documents(text));
}
BENCHMARK(BM_encode_file);

/// The worst words there are: one letter, as often as the argument says.
void BM_encode_one_letter(benchmark::State& state) {
  encode(state, {std::string(static_cast<std::size_t>(state.range(0)), 'a')});
}
BENCHMARK(BM_encode_one_letter)->Arg(64)->Arg(4096)->Arg(1 << 20);

void BM_decode_english(benchmark::State& state) {
  const auto tokenizer = load(state);
  if (!tokenizer) return;
  std::string text;
  for (int i = 0; i < 100; ++i) text += kEnglish;
  const auto ids = tokenizer->encode(text).value();
  for (auto _ : state) benchmark::DoNotOptimize(tokenizer->decode(ids).value());
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) *
                          static_cast<std::int64_t>(text.size()));
}
BENCHMARK(BM_decode_english);

void BM_load(benchmark::State& state) {
  if (!load(state)) return;
  for (auto _ : state) benchmark::DoNotOptimize(Tokenizer::load(tokenizer_path()).value());
}
BENCHMARK(BM_load)->Unit(benchmark::kMillisecond);

void BM_read_snapshot(benchmark::State& state) {
  const auto tokenizer = load(state);
  if (!tokenizer) return;
  const auto snapshot = qwen3guard::detail::write_snapshot(*tokenizer).value();
  for (auto _ : state)
    benchmark::DoNotOptimize(qwen3guard::detail::read_snapshot(snapshot, nullptr, "snapshot").value());
}
BENCHMARK(BM_read_snapshot)->Unit(benchmark::kMillisecond);

}  // namespace
