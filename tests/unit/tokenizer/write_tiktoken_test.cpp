// SPDX-License-Identifier: Apache-2.0
// Tokenizers in tiktoken's form, and what that form cannot say: each is refused for its reason.
#include "tokenizer/write_tiktoken.hpp"

#include <filesystem>

#include "q3g_catch.hpp"
#include "rank_file_fixture.hpp"
#include "temporary_folder.hpp"
#include "tokenizer/tokenizer_impl.hpp"

#ifndef _WIN32
#include <sys/resource.h>

#include <csignal>
#endif

using namespace qwen3guard;
using test::JsonParts;
using test::RankFileParts;

namespace {

detail::TiktokenTexts written(const Tokenizer& tokenizer) {
  auto texts = detail::to_tiktoken(detail::TokenizerAccess::impl(tokenizer));
  INFO((texts.ok() ? std::string() : texts.error().detail));
  REQUIRE(texts.ok());
  return *std::move(texts);
}

void check_refused(const Result<Tokenizer>& tokenizer, const std::string& words) {
  REQUIRE(tokenizer.ok());
  const auto texts = detail::to_tiktoken(detail::TokenizerAccess::impl(*tokenizer));
  CAPTURE(words);
  REQUIRE_FALSE(texts.ok());
  CAPTURE(texts.error().detail);
  CHECK(texts.error().code == ErrorCode::unsupported_model);
  CHECK(texts.error().detail.find("the tokenizer cannot be written in tiktoken's form: ") == 0);
  CHECK(texts.error().detail.find(words) != std::string::npos);
}

/// The JSON fixture with the published pattern and added tokens as tiktoken finds them.
JsonParts sound() {
  JsonParts parts;
  const std::string regex = test::kQwenPatternJson;
  parts.pre_tokenizer = test::split_by(regex.substr(1, regex.size() - 2));
  parts.added = R"([{"id":260,"content":"<|end|>","special":true,"normalized":false},)"
                R"({"id":261,"content":"<t>","normalized":false}])";
  return parts;
}

}  // namespace

TEST_CASE("write tiktoken: what was loaded comes back", "[tokenizer][tiktoken]") {
  for (const char* more : {R"(,"allowed_special":["<think>"],"normalizer":"NFC","explicit_n_vocab":262)",
                           R"(,"allowed_special":[],"explicit_n_vocab":262)"}) {
    RankFileParts parts;
    parts.more = more;
    const auto texts = written(parts.load().value());
    CHECK(texts.ranks == parts.ranks);
    std::string dense;
    bool in_string = false;
    for (std::size_t i = 0; i < texts.settings.size(); ++i) {
      if (texts.settings[i] == '"' && texts.settings[i - 1] != '\\') in_string = !in_string;
      if (in_string || (texts.settings[i] != ' ' && texts.settings[i] != '\n')) dense += texts.settings[i];
    }
    CHECK(dense == parts.settings());
  }
}

TEST_CASE("write tiktoken: a tokenizer.json with the same rule", "[tokenizer][tiktoken]") {
  const Tokenizer tokenizer = sound().load().value();
  const auto texts = written(tokenizer);
  const Tokenizer again =
      test::load_from({{"t.tiktoken", texts.ranks}, {"t.tiktoken.json", texts.settings}}).value();
  test::RandomText random(4404);
  for (int i = 0; i < 500; ++i) {
    std::string text = random.next();
    for (std::uint64_t n = random.below(20); n > 0; --n) text += "abc  "[random.below(5)];
    text += i % 5 == 0 ? "<t>abc<|end|>" : "";
    for (const SpecialTokens mode : {SpecialTokens::as_text, SpecialTokens::recognized})
      REQUIRE(again.encode(text, mode).value() == tokenizer.encode(text, mode).value());
  }
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id)
    CHECK(again.is_special(id) == tokenizer.is_special(id));
}

TEST_CASE("write tiktoken: characters that JSON escapes", "[tokenizer][tiktoken]") {
  JsonParts parts = sound();
  parts.added = R"([{"id":260,"content":"<\"\\\n\u007f\u00e9>","special":true,"normalized":false}])";
  const auto texts = written(parts.load().value());
  CHECK(texts.settings.find("\"<\\\"\\\\\\u000a\\u007f\xC3\xA9>\": 260") != std::string::npos);
  const auto again = test::load_from({{"t.tiktoken", texts.ranks}, {"t.tiktoken.json", texts.settings}});
  CHECK(again->find_added("<\"\\\n\x7F\xC3\xA9>") == 260);
}

TEST_CASE("write tiktoken: merges that tiktoken's rule would not give", "[tokenizer][tiktoken]") {
  JsonParts parts = sound();
  parts.merges = R"(["b c","a b","ab c","\u0120 a"])";
  check_refused(parts.load(), "token 258 (\"bc\") is merged before token 257 (\"abc\")");
  // "abc" is there, and its own bytes do not come to it: tiktoken joins "a" and "bc".
  parts.vocabulary = test::byte_vocabulary() + R"(,"bc":256,"ab":257,"abc":258)";
  parts.merges = R"(["b c","a b","ab c"])";
  parts.added = "[]";
  check_refused(parts.load(),
                "the merges do not make token 258 (\"abc\") of its bytes in the way that tiktoken does");
  parts.merges = R"(["b c","a b","ab c","a bc"])";
  CHECK(detail::to_tiktoken(detail::TokenizerAccess::impl(parts.load().value())).ok());
  // No merge leads to it, for tiktoken neither, which takes it whole where it is a word.
  parts.vocabulary = test::byte_vocabulary() + R"(,"xyz":256)";
  parts.merges = "[]";
  check_refused(parts.load(),
                "token 256 (\"xyz\") of its bytes; tiktoken takes a word that is a token whole");
  parts.model_extra = R"(,"ignore_merges":true)";
  CHECK(detail::to_tiktoken(detail::TokenizerAccess::impl(parts.load().value())).ok());
  // A merge is missing that tiktoken would make.
  parts.vocabulary = test::byte_vocabulary() + R"(,"xy":256)";
  check_refused(parts.load(), "the merges do not make token 256");
}

TEST_CASE("write tiktoken: ids that are not ranks", "[tokenizer][tiktoken]") {
  JsonParts parts = sound();
  parts.vocabulary = test::byte_vocabulary() + R"(,"ab":256,"abc":258)";
  parts.merges = R"(["a b","ab c"])";
  check_refused(parts.load(), "no token has the id 257");
  parts.vocabulary = test::byte_vocabulary() + R"(,"ab":256,"\u4e2d":257,"abc":258)";
  check_refused(parts.load(),
                "token 257 (\"\xE4\xB8\xAD\") is neither made of bytes by merges nor an added token");
  parts = sound();
  parts.added = R"([{"id":258,"content":"bc","normalized":false}])";
  check_refused(parts.load(), "the added token \"bc\" is a token of the vocabulary, too");
}

TEST_CASE("write tiktoken: added tokens that tiktoken does not know the like of", "[tokenizer][tiktoken]") {
  const auto with = [](const char* token) {
    JsonParts parts = sound();
    parts.added = std::string("[") + token + "]";
    return parts.load();
  };
  check_refused(with(R"({"id":260,"content":"<t>","lstrip":true,"normalized":false})"),
                "white space beside it");
  check_refused(with(R"({"id":260,"content":"<t>","rstrip":true,"normalized":false})"),
                "white space beside it");
  check_refused(with(R"({"id":260,"content":"<t>","normalized":true})"),
                "is looked for behind the normalizer");
  check_refused(
      with(R"({"id":260,"content":"<t>","normalized":false},{"id":261,"content":"<t>x","normalized":false})"),
      "\"<t>\" is the beginning of \"<t>x\"");
}

TEST_CASE("write tiktoken: patterns", "[tokenizer][tiktoken]") {
  const auto with = [](const std::string& pre_tokenizer) {
    JsonParts parts = sound();
    parts.pre_tokenizer = pre_tokenizer;
    return parts.load();
  };
  check_refused(with(R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false})"),
                "0 patterns cut text");
#ifndef Q3G_WITHOUT_RE2
  check_refused(with(test::split_by(R"(\\p{L}+)")),
                "does not match \"\\u0000\", which tiktoken would leave out");
  check_refused(with(test::split_by(R"([^a]|a(?:b|$))")), "has ^ or $");
  check_refused(with(test::split_by(R"([^ ]|\\s+(?!\\S))")), "does not match \" \"");
  check_refused(with(test::split_by(R"([^\\sa]\\s|a|\\s)")), "does not match \"\\u0000\"");
  check_refused(with(test::split_by(R"(\\S|\\sa)")), "does not match \"\\t\"");
  CHECK(
      detail::to_tiktoken(detail::TokenizerAccess::impl(with(test::split_by(R"([^\\p{L}]|\\p{L}+)")).value()))
          .ok());
#endif
}

TEST_CASE("write tiktoken: files", "[tokenizer][tiktoken]") {
  const q3g_test::TemporaryFolder folder;
  const Tokenizer tokenizer = RankFileParts().load().value();
  const std::string file = folder / "t.tiktoken";
  CHECK(tokenizer.export_tiktoken(folder / "t.bin").error().code == ErrorCode::invalid_argument);
  CHECK(tokenizer.export_tiktoken(std::string("a\0.tiktoken", 11)).error().code ==
        ErrorCode::invalid_argument);
  CHECK(tokenizer.export_tiktoken(folder / "none/t.tiktoken").error().code == ErrorCode::io_error);
  CHECK(folder.n_files() == 0);
  REQUIRE(tokenizer.export_tiktoken(file).ok());
  CHECK(folder.n_files() == 2);
  CHECK(test::read_file(file) == RankFileParts().ranks);
  CHECK(tokenizer.export_tiktoken(file).error().code == ErrorCode::io_error);
  std::filesystem::remove(file);
  CHECK(tokenizer.export_tiktoken(file).error().code == ErrorCode::io_error);  // the settings are still there
  CHECK(folder.n_files() == 1);
  REQUIRE(tokenizer.export_tiktoken(file, true).ok());
  CHECK(Tokenizer::load(file).value().encode("abc").value() == tokenizer.encode("abc").value());
}

#ifndef _WIN32
TEST_CASE("write tiktoken: when the second file cannot be written, no other's ranks are beside the first",
          "[tokenizer][tiktoken]") {
  const q3g_test::TemporaryFolder folder;
  const std::string file = folder / "t.tiktoken";
  REQUIRE(RankFileParts().load()->export_tiktoken(file).ok());
  RankFileParts other;
  other.special = R"({"<|im_end|>":261,"<think>":260})";
  const Tokenizer tokenizer = other.load().value();
  // The settings fit, and the ranks, which the stream's buffer holds, are only written by the commit.
  struct rlimit before {};
  REQUIRE(getrlimit(RLIMIT_FSIZE, &before) == 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit small = before;
  small.rlim_cur = 1024;
  REQUIRE(setrlimit(RLIMIT_FSIZE, &small) == 0);
  const Status status = tokenizer.export_tiktoken(file, true);
  REQUIRE(setrlimit(RLIMIT_FSIZE, &before) == 0);
  std::signal(SIGXFSZ, handler);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().code == ErrorCode::io_error);
  CHECK(test::read_file(file + ".json").find("\"<think>\": 260") != std::string::npos);
  CHECK(folder.n_files() == 1);
  CHECK_FALSE(Tokenizer::load(file).ok());
}
#endif

TEST_CASE("write tiktoken: the published vocabulary", "[tokenizer][tiktoken]") {
  if (test::qwen3_path().empty()) Q3G_SKIP(test::kNoQwen3);
  const auto texts = written(Tokenizer::load(test::qwen3_path()).value());
  CHECK(texts.settings.find("\"explicit_n_vocab\": 151669") != std::string::npos);
}
