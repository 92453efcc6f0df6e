// SPDX-License-Identifier: Apache-2.0
// Tokenizer files that are large on purpose: a clear error soon, and nothing on the host's terminal.
#include <cstdio>
#include <string>

#include "q3g_catch.hpp"
#include "temporary_folder.hpp"
#include "tokenizer/pattern.hpp"
#include "tokenizer/pre_tokenizer.hpp"
#include "tokenizer_fixture.hpp"

#ifndef _WIN32
#include <unistd.h>
#endif

using namespace qwen3guard;

namespace {

std::string repeated(std::string_view text, std::size_t n_bytes) {
  std::string out;
  while (out.size() + text.size() <= n_bytes) out += text;
  return out;
}

/// What `run` writes to the standard error stream by whatever way.
template <class Run>
std::string standard_error_of(const Run& run) {
#ifdef _WIN32
  run();
  return {};
#else
  const q3g_test::TemporaryFolder folder;
  std::fflush(stderr);
  const int before = ::dup(STDERR_FILENO);
  REQUIRE(before >= 0);
  REQUIRE(std::freopen((folder / "stderr").c_str(), "w", stderr) != nullptr);
  run();
  std::fflush(stderr);
  ::dup2(before, STDERR_FILENO);
  ::close(before);
  return test::read_file(folder / "stderr");
#endif
}

Result<Tokenizer> load_split_by(const std::string& regex) {
  test::JsonParts parts;
  parts.pre_tokenizer = test::split_by(regex);
  return parts.load();
}

void check_refused(const Result<Tokenizer>& loaded, const std::string& words) {
  REQUIRE_FALSE(loaded.ok());
  CAPTURE(loaded.error().detail);
  CHECK(loaded.error().code == ErrorCode::bad_tokenizer);
  CHECK(loaded.error().detail.find(words) != std::string::npos);
  CHECK(loaded.error().detail.size() < 500);
}

/// A tokenizer.json with n Splits.
Result<Tokenizer> load_splits(std::size_t n) {
  std::string steps;
  for (std::size_t i = 0; i < n; ++i)
    steps += R"({"type":"Split","pattern":{"Regex":"\\p{L}+|)" + std::to_string(i) +
             R"("},"behavior":"Isolated"},)";
  test::JsonParts parts;
  parts.pre_tokenizer = R"({"type":"Sequence","pretokenizers":[)" + steps +
                        R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false}]})";
  return parts.load();
}

}  // namespace

TEST_CASE("load limits: patterns in size", "[tokenizer][limits]") {
  check_refused(
      load_split_by(repeated("a|", 4'000'000) + "b"),
      "pre_tokenizer.pretokenizers[0].pattern: the pattern is too large: 4000001 bytes; at most 2048");
  check_refused(load_split_by(std::string(detail::Pattern::kMaxBytes + 1, 'a')), "at most 2048");
  CHECK(load_split_by(repeated("a|", detail::Pattern::kMaxBytes - 1) + "b").ok());
  // Small as they stand, large for RE2: classes that are written out, repetitions that are.
  check_refused(load_split_by(repeated("\\\\p{L}|", 2000) + "a"), "classes written out; at most 524288");
  check_refused(load_split_by(repeated("\\\\p{L}{1000}", 400)), "at most 32768 instructions");
  check_refused(load_split_by(repeated("(a?){500}", 2000)), "at most 32768 instructions");
  check_refused(load_split_by("(" + repeated("\\\\w", 1500) + "){1000}"), "at most 32768 instructions");
}

TEST_CASE("load limits: patterns in number", "[tokenizer][limits]") {
  CHECK(load_splits(detail::PreTokenizer::kMaxPatterns).ok());
  check_refused(load_splits(detail::PreTokenizer::kMaxPatterns + 1),
                "pretokenizers[16].pattern: too many patterns; at most 16");
  check_refused(load_splits(1000), "at most 16");
}

TEST_CASE("load limits: nothing is written to the standard error stream", "[tokenizer][limits]") {
  const std::string written = standard_error_of([] {
    for (const std::string& regex :
         {repeated("a|", 4'000'000) + "b", "(" + repeated("ab", 2000) + "){1000}", repeated("(", 2000),
          repeated("((x{10}){10}){10}", 2000), repeated("\\\\p{L}", 2000), repeated("(?:a|", 1500) + "a"}) {
      const auto loaded = load_split_by(regex);
      if (loaded.ok()) static_cast<void>(loaded->encode(std::string(5000, 'x')));
    }
    // States without number: the engine gives its memory up and goes another way.
    const auto loaded = load_split_by("(?:[ab]*a[ab]{14}c|[ab])+");
    std::string text;
    std::uint32_t random = 1;
    for (int i = 0; i < 200'000; ++i)
      text += (random = random * 1664525u + 1013904223u) >> 31 != 0 ? 'a' : 'b';
    if (loaded.ok()) static_cast<void>(loaded->encode(text));
  });
  CHECK(written.substr(0, 1000) == "");
#ifndef _WIN32
  CHECK(standard_error_of([] { CHECK(::write(STDERR_FILENO, "seen", 4) == 4); }) == "seen");
#endif
}

TEST_CASE("load limits: published patterns are far below them", "[tokenizer][limits]") {
  for (
      const std::string_view regex :
      {detail::kQwenPattern, detail::kByteLevelPattern,
       std::string_view(
           R"([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)")}) {
    CAPTURE(regex);
    CHECK(detail::Pattern::compile(regex).ok());
  }
}

TEST_CASE("load limits: files in size", "[tokenizer][limits]") {
  const std::size_t n_most = std::size_t{64} << 20;
  check_refused(test::load_from({{"tokenizer.json", test::JsonParts().json() + std::string(n_most, ' ')}}),
                "tokenizer.json: ");
  const std::string vocabulary = "{" + test::byte_vocabulary() + "}";
  check_refused(test::load_from({{"vocab.json", vocabulary + std::string(n_most, ' ')}, {"merges.txt", ""}}),
                "vocab.json: ");
  check_refused(test::load_from({{"vocab.json", vocabulary}, {"merges.txt", std::string(n_most + 1, '\n')}}),
                "merges.txt: 67108865 bytes; at most 67108864");
  check_refused(test::load_from({{"vocab.json", vocabulary},
                                 {"merges.txt", ""},
                                 {"tokenizer_config.json", "{}" + std::string(n_most / 4, ' ')}}),
                "tokenizer_config.json: 16777218 bytes; at most 16777216");
}

TEST_CASE("load limits: added tokens in size", "[tokenizer][limits]") {
  test::JsonParts parts;
  parts.added = R"([{"id":260,"content":")" + std::string(512, 'x') + R"("}])";
  CHECK(parts.load().ok());
  parts.added = R"([{"id":260,"content":")" + std::string(513, 'x') + R"("}])";
  check_refused(parts.load(), "added_tokens[0]: content has 513 bytes; at most 512");
}
