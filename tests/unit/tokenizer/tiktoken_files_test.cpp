// SPDX-License-Identifier: Apache-2.0
// Rank files of the tiktoken package: what is read, and each error with its file, line and expectation.
#include <filesystem>
#include <fstream>

#include "q3g_catch.hpp"
#include "rank_file_fixture.hpp"
#include "temporary_folder.hpp"
#include "tokenizer/incremental_encoder.hpp"
#include "tokenizer/snapshot.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "util/model_files.hpp"

using namespace qwen3guard;
using test::rank_line;
using test::RankFileParts;

namespace {

constexpr auto kBad = ErrorCode::bad_tokenizer;

void check_error(const Result<Tokenizer>& result, const std::string& words, ErrorCode code = kBad) {
  CAPTURE(words);
  REQUIRE_FALSE(result.ok());
  CAPTURE(result.error().detail);
  CHECK(result.error().code == code);
  CHECK(result.error().detail.find(words) != std::string::npos);
  CHECK(result.error().detail.size() < 600);
}

void check_lines(const std::string& ranks, const std::string& words) {
  RankFileParts parts;
  parts.ranks = ranks;
  check_error(parts.load(), words);
}

void check_settings(const std::string& settings, const std::string& words, ErrorCode code = kBad) {
  check_error(test::load_from({{"x.tiktoken", RankFileParts().ranks}, {"x.tiktoken.json", settings}}), words,
              code);
}

void write_file(const std::string& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("rank files: tokens, special tokens and the normalizer", "[tokenizer][tiktoken]") {
  const Tokenizer tokenizer = RankFileParts().load().value();
  CHECK(tokenizer.vocab_size() == 262);
  // Lowest rank first: "ab" before "bc", though neither is a merge of a list; then "abc" of "ab" and "c".
  CHECK(tokenizer.encode("abc").value() == std::vector<TokenId>{257});
  CHECK(tokenizer.encode(" ax").value() == std::vector<TokenId>{259, 'x'});
  CHECK(tokenizer.encode("xbc abcbc").value() == std::vector<TokenId>{'x', 258, ' ', 257, 258});
  CHECK(tokenizer.encode("e\xCC\x81").value() == std::vector<TokenId>{0xC3, 0xA9});
  CHECK(tokenizer.is_special(260));
  CHECK_FALSE(tokenizer.is_special(261));
  CHECK(tokenizer.encode("<think>").value() == std::vector<TokenId>{261});
  CHECK(tokenizer.encode("<|im_end|>").value().size() == 10);
  CHECK(tokenizer.encode("<|im_end|>", SpecialTokens::recognized).value() == std::vector<TokenId>{260});
  CHECK(tokenizer.decode(std::vector<TokenId>{257, 260}).value() == "abc<|im_end|>");
}

TEST_CASE("rank files: without allowed_special and normalizer, nothing is allowed or changed",
          "[tokenizer][tiktoken]") {
  RankFileParts parts;
  parts.more = R"(,"name":"x","normalizer":null,"explicit_n_vocab":null)";
  const Tokenizer tokenizer = parts.load().value();
  CHECK(tokenizer.encode("e\xCC\x81").value() == std::vector<TokenId>{'e', 0xCC, 0x81});
  CHECK(tokenizer.encode("<think>").value().size() == 7);
  CHECK(tokenizer.encode("<think>", SpecialTokens::recognized).value() == std::vector<TokenId>{261});
}

TEST_CASE("rank files: a word that is a token is taken whole, another way to it or none",
          "[tokenizer][tiktoken]") {
  RankFileParts parts;
  parts.ranks = test::byte_ranks() + rank_line("wxyz", 256) + rank_line("cd", 257) + rank_line("ab", 258) +
                rank_line("abcd", 259);
  const Tokenizer tokenizer = parts.load().value();
  CHECK(tokenizer.encode("wxyz").value() == std::vector<TokenId>{256});
  CHECK(tokenizer.encode("wxyzw").value() == std::vector<TokenId>{'w', 'x', 'y', 'z', 'w'});
  CHECK(tokenizer.encode("xabcd").value() == std::vector<TokenId>{'x', 259});
}

TEST_CASE("rank files: order of lines, line ends, byte order mark", "[tokenizer][tiktoken]") {
  const std::vector<TokenId> expected = RankFileParts().load()->encode("abc bc").value();
  const std::string more = rank_line("ab", 256) + rank_line("abc", 257);
  RankFileParts parts;
  parts.ranks = rank_line(" a", 259) + rank_line("bc", 258) + test::byte_ranks() + more;
  CHECK(parts.load()->encode("abc bc").value() == expected);
  parts.ranks = "\xEF\xBB\xBF" + RankFileParts().ranks;
  CHECK(parts.load()->encode("abc bc").value() == expected);
  parts.ranks = RankFileParts().ranks;
  parts.ranks.pop_back();  // all of the last line is there
  CHECK(parts.load()->encode("abc bc").value() == expected);
  std::string with_returns;
  for (const char c : RankFileParts().ranks)
    with_returns += c == '\n' ? std::string("\r\n") : std::string(1, c);
  parts.ranks = with_returns;
  CHECK(parts.load()->encode("abc bc").value() == expected);
}

TEST_CASE("rank files: an error names the line and what was expected", "[tokenizer][tiktoken]") {
  const std::string bytes = test::byte_ranks();
  const std::string form = " is not a token in base64, a space and its rank, as in \"IQ== 0\"";
  check_lines(bytes + "YW I 256\n", "test/x.tiktoken: line 257: \"YW I 256\"" + form);
  check_lines(bytes + "YWI=\n", "line 257: \"YWI=\"" + form);
  check_lines(bytes + "YWI=\t256\n", "line 257: \"YWI=\\t256\"" + form);
  check_lines(bytes + "\n" + rank_line("ab", 256), "line 257: \"\"" + form);
  check_lines("\n" + bytes, "line 1: \"\"" + form);
  check_lines(bytes + "YWI= 256 \n", "line 257: ");
  for (const char* token : {"YWI", "YW?=", "YWI=YWI=", "YWJ=", "Y===", "====", "YWI==", "YWI_"})
    check_lines(bytes + token + " 256\n", std::string("line 257: \"") + token + "\" is not base64");
  check_lines(bytes + std::string("YW\0=", 4) + " 256\n", "line 257: \"YW\\u0000=\" is not base64");
  check_lines(bytes + " 256\n", "line 257: an empty token");
  for (const char* rank :
       {"-1", "+256", "256x", "", "2147483648", "99999999999999999999", "4194304", "0x100", "1.5"})
    check_lines(bytes + "YWI= " + rank + "\n",
                std::string("line 257: rank \"") + rank + "\" is not an integer in [0, 4194304)");
  check_lines(bytes + rank_line("ab", 97), "line 257: rank 97 is that of line 98, too");
  check_lines(bytes + rank_line("ab", 256) + rank_line("ab", 257),
              "x.tiktoken: line 258 has the bytes of line 257");
  check_lines(bytes + rank_line("ab", 257),
              "line 257: rank 257, but no line has rank 256, which is no special token's id either");
  check_lines(bytes.substr(0, bytes.size() - rank_line("\xFF", 255).size()),
              "x.tiktoken: no token for the single byte 255; all 256 are needed");
  check_lines("", "no token for the single byte 0");
  check_lines(bytes + rank_line("<|im_start|>", 256),
              "line 257: \"<|im_start|>\" is a control token, which no text may encode to; expected among");
  check_lines(bytes + rank_line(std::string(513, 'a'), 256), "line 257: a token of 513 bytes; at most 512");
}

TEST_CASE("rank files: a file cut anywhere is an error", "[tokenizer][tiktoken]") {
  const std::string whole = RankFileParts().ranks;
  for (std::size_t n = 0; n + 1 < whole.size(); ++n) {
    RankFileParts parts;
    parts.ranks = whole.substr(0, n);
    const auto result = parts.load();
    CAPTURE(n);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code == kBad);
  }
}

TEST_CASE("rank files: a byte changed anywhere is an error or a tokenizer, never worse",
          "[tokenizer][tiktoken]") {
  constexpr std::uint64_t kSeed = 4402;
  test::RandomText random(kSeed);
  for (int i = 0; i < 2000; ++i) {
    RankFileParts parts;
    auto files = parts.files();
    std::string& damaged = files[random.below(2)].second;
    for (std::uint64_t n = random.below(3) + 1; n > 0; --n)
      damaged[random.below(damaged.size())] =
          static_cast<char>(static_cast<unsigned char>(random.below(256)));
    const auto result = test::load_from(files);
    CAPTURE(kSeed, i);
    if (result.ok()) {
      REQUIRE(result->encode("abc <|im_end|> xyz\n").ok());
    } else {
      REQUIRE((result.error().code == kBad || result.error().code == ErrorCode::unsupported_model));
      REQUIRE_FALSE(result.error().detail.empty());
    }
  }
}

TEST_CASE("rank files: what is no rank file, and files that are too large", "[tokenizer][tiktoken][limits]") {
  check_lines("version https://git-lfs.github.com/spec/v1\n", "a git-lfs pointer and not the file itself");
  check_lines(std::string((std::size_t{64} << 20) + 1, '\n'), "67108865 bytes; at most 67108864");
  // All words of two letters up to 17 of them: a token has a pair less than it has bytes.
  std::string ranks = test::byte_ranks(), word;
  for (unsigned bits = 4; bits < (1u << 18) + 20000; ++bits) {
    word.clear();
    for (unsigned rest = bits; rest > 1; rest /= 2) word += rest % 2 == 0 ? 'a' : 'b';
    ranks += rank_line(word, 256 + static_cast<long long>(bits) - 4);
  }
  RankFileParts parts;
  parts.ranks = ranks;
  parts.special = "{}";
  parts.more = "";
  check_error(parts.load(),
              "x.tiktoken: too many pairs of tokens make a token; at most 4194304 are expected");
  parts.ranks = test::byte_ranks();
  for (int i = 0; i < 1100; ++i) parts.ranks += rank_line(std::to_string(i) + std::string(508, 'x'), 256 + i);
  check_error(parts.load(),
              "x.tiktoken: too many long tokens: the squares of their lengths in bytes add up to ");
}

TEST_CASE("rank files: the settings", "[tokenizer][tiktoken]") {
  const std::string pattern = std::string("\"pat_str\":") + test::kQwenPatternJson;
  check_error(
      test::load_from({{"x.tiktoken", RankFileParts().ranks}}),
      R"(test/x.tiktoken: no x.tiktoken.json beside it; expected {"pat_str": "...", "special_tokens": {)");
  check_settings("[]", "x.tiktoken.json: the top level is not an object");
  check_settings("{", "x.tiktoken.json");
  check_settings("{}", "pat_str is missing; expected the pattern that cuts text into words");
  check_settings(R"({"pat_str":"","special_tokens":{}})", "pat_str is not a string with a pattern");
  check_settings(
      "{" + pattern + "}",
      "special_tokens is missing, and so is added_tokens_decoder in tokenizer_config.json; expected the");
  check_settings("{" + pattern + R"(,"special_tokens":[]})", "special_tokens is not an object");
  const auto special = [&](const char* tokens) {
    return "{" + pattern + ",\"special_tokens\":" + tokens + "}";
  };
  check_settings(special(R"({"<|x|>":"1"})"),
                 R"(x.tiktoken.json: special_tokens["<|x|>"] has no integer id)");
  check_settings(special(R"({"<|x|>":-1})"), R"(special_tokens["<|x|>"]: id -1 is not in [0, 4194304))");
  check_settings(special(R"({"<|x|>":258})"),
                 R"(special_tokens["<|x|>"]: id 258 is the rank of line 259 of test/x.tiktoken)");
  check_settings(special(R"({"bc":258})"), R"(special_tokens["bc"]: id 258 is the rank of line 259)");
  check_settings(special(R"({"<|x|>":260,"<|y|>":260})"), R"(special_tokens["<|y|>"]: id 260 is)");
  check_settings(special(R"({"<|x|>":260,"<|x|>":261})"), R"(content "<|x|>" is there twice)");
  check_settings(special(R"({"":260})"), "content is empty");
  const auto more = [](const char* text) {
    RankFileParts parts;
    parts.more = text;
    return parts.settings();
  };
  check_settings(more(R"(,"allowed_special":{})"), "allowed_special is not an array");
  check_settings(more(R"(,"allowed_special":[7])"), "allowed_special[0] is not a string");
  check_settings(more(R"(,"allowed_special":["<x>"])"),
                 R"(allowed_special[0]: "<x>" is not in special_tokens)");
  check_settings(more(R"(,"allowed_special":["<think>","<|im_end|>"])"),
                 R"(allowed_special[1]: "<|im_end|>" is a control token, which no text may hold)");
  check_settings(more(R"(,"normalizer":"NFKC")"), R"(normalizer is neither "NFC" nor null)");
  check_settings(more(R"(,"explicit_n_vocab":"262")"), "explicit_n_vocab is not an integer");
  check_settings(more(R"(,"explicit_n_vocab":263)"),
                 "explicit_n_vocab is 263, but there are 260 ranks and 2 special tokens with ids up to 261");
  check_settings(more(R"(,"normaliser":"NFC")"),
                 R"(unknown key "normaliser"; known are pat_str, special_tokens,)");
}

TEST_CASE("rank files: as many special tokens as may be, all allowed", "[tokenizer][tiktoken][limits]") {
  const auto with = [](int n_tokens) {
    RankFileParts parts;
    std::string allowed;
    parts.special.clear();
    for (int i = 0; i < n_tokens; ++i) {
      const std::string name = "\"<" + std::to_string(i) + ">\"";
      parts.special += (i == 0 ? "{" : ",") + name + ":" + std::to_string(260 + i);
      allowed += (i == 0 ? "" : ",") + name;
    }
    parts.special += "}";
    parts.more = ",\"allowed_special\":[" + allowed + "]";
    return parts.load();
  };
  const auto tokenizer = with(65536);
  REQUIRE(tokenizer.ok());
  CHECK(tokenizer->encode("<0><65535>").value() == std::vector<TokenId>{260, 260 + 65535});
  check_error(with(65537), "x.tiktoken.json: special_tokens[\"<65536>\"]: more than 65536 special tokens");
}

TEST_CASE("rank files: patterns that mean something else in a tokenizer.json are refused",
          "[tokenizer][tiktoken]") {
  for (const auto& [pattern, words] :
       {std::pair(R"("\\w+|\\W")", "has \\w, which is not the same"), std::pair(R"("[a\\w]+|.")", "has \\w"),
        std::pair(R"("a$|.")", "has ^ or $"), std::pair(R"("^a|.")", "has ^ or $")}) {
    RankFileParts parts;
    parts.pattern = pattern;
    check_error(parts.load(), words, ErrorCode::unsupported_model);
    check_error(parts.load(), "x.tiktoken.json: pat_str: ", ErrorCode::unsupported_model);
  }
#ifndef Q3G_WITHOUT_RE2
  RankFileParts parts;
  parts.pattern = R"("[^\\s\\^$]+|[\\]$^]|\\$|\\s")";
  CHECK(parts.load().ok());
  parts.pattern = R"("\\p{L}++|.")";
  check_error(parts.load(), "x.tiktoken.json: pat_str: ", ErrorCode::unsupported_model);
  check_error(parts.load(), "a possessive quantifier", ErrorCode::unsupported_model);
#endif
}

TEST_CASE("rank files: special tokens of tokenizer_config.json", "[tokenizer][tiktoken]") {
  const auto load = [](const char* config) {
    return test::load_from({{"x.tiktoken", RankFileParts().ranks},
                            {"x.tiktoken.json", std::string("{\"pat_str\":") + test::kQwenPatternJson + "}"},
                            {"tokenizer_config.json", config}});
  };
  const auto tokenizer = load(
      R"({"added_tokens_decoder":{"260":{"content":"<|im_end|>","special":false},"261":{"content":"<t>"}}})");
  REQUIRE(tokenizer.ok());
  CHECK(tokenizer->is_special(260));
  CHECK(tokenizer->encode("<t>").value() == std::vector<TokenId>{261});
  check_error(load("{}"), "special_tokens is missing");
  check_error(load(R"({"added_tokens_decoder":{"258":{"content":"bc"}}})"),
              "tokenizer_config.json: added_tokens_decoder[\"258\"]: id 258 is the rank of line 259");
}

TEST_CASE("rank files: a special token may fill a hole", "[tokenizer][tiktoken]") {
  RankFileParts parts;
  parts.ranks = test::byte_ranks() + rank_line("ab", 256) + rank_line("cd", 258);
  parts.special = R"({"<|im_end|>":257})";
  parts.more = R"(,"explicit_n_vocab":259)";
  CHECK(parts.load()->encode("cd<|im_end|>", SpecialTokens::recognized).value() ==
        std::vector<TokenId>{258, 257});
}

TEST_CASE("rank files: other tokenizer files go first, and of rank files one is expected",
          "[tokenizer][tiktoken]") {
  auto files = RankFileParts().files();
  files.emplace_back("tokenizer.json", test::JsonParts().json());
  CHECK(test::load_from(files)->find_added("<|end|>").has_value());
  files.pop_back();
  files.emplace_back("vocab.json", "{" + test::byte_vocabulary() + "}");
  files.emplace_back("merges.txt", "");
  CHECK(test::load_from(files)->vocab_size() == 256);
  files.resize(2);
  files.emplace_back("y.tiktoken", "");
  check_error(test::load_from(files), "test/x.tiktoken and y.tiktoken: two rank files; one is expected");
}

TEST_CASE("rank files: one without its settings makes no tokenizer of a folder of weights",
          "[tokenizer][tiktoken]") {
  const q3g_test::TemporaryFolder folder;
  const detail::DirectoryFiles files(folder / "");
  std::filesystem::create_directory(folder / "y.tiktoken");
  CHECK_FALSE(detail::has_tokenizer(files));
  write_file(folder / "x.tiktoken", RankFileParts().ranks);
  CHECK_FALSE(detail::has_tokenizer(files));
  check_error(Tokenizer::load(folder / ""), "no x.tiktoken.json beside it");
  write_file(folder / "tokenizer_config.json", "{}");
  CHECK(detail::has_tokenizer(files));
  check_error(Tokenizer::load(folder / ""), "no x.tiktoken.json beside it");
  std::filesystem::remove(folder / "tokenizer_config.json");
  write_file(folder / "x.tiktoken.json", RankFileParts().settings());
  CHECK(detail::has_tokenizer(files));
  std::filesystem::remove(folder / "y.tiktoken");
  CHECK(Tokenizer::load(folder / "").ok());
}

TEST_CASE("rank files: from a folder, by name, and from a snapshot of another version",
          "[tokenizer][tiktoken]") {
  const q3g_test::TemporaryFolder folder;
  const std::vector<TokenId> expected = RankFileParts().load()->encode("abc bc").value();
  for (const auto& [name, text] : RankFileParts().files()) write_file(folder / name, text);
  CHECK(Tokenizer::load(folder / "").value().encode("abc bc").value() == expected);
  CHECK(Tokenizer::load(folder / "x.tiktoken").value().encode("abc bc").value() == expected);
  CHECK(Tokenizer::load(folder / "y.tiktoken").error().code == ErrorCode::file_not_found);
  CHECK(Tokenizer::load(folder / "none/x.tiktoken").error().code == ErrorCode::file_not_found);
  auto snapshot = detail::write_snapshot(RankFileParts().load().value()).value();
  snapshot[8] = std::byte{99};
  auto files = RankFileParts().files();
  files.emplace_back(detail::kSnapshotFile,
                     std::string(reinterpret_cast<const char*>(snapshot.data()), snapshot.size()));
  CHECK(test::load_from(files)->encode("abc bc").value() == expected);
}

TEST_CASE("rank files: snapshots and pushed texts give the same ids", "[tokenizer][tiktoken]") {
  constexpr std::uint64_t kSeed = 4403;
  test::RandomText random(kSeed);
  RankFileParts parts;
  for (int rank = 260; rank < 600; ++rank) {
    // Of few letters, so that most can be made in several ways and some in none.
    std::string token;
    for (std::uint64_t n = random.below(6) + 2; n > 0; --n) token += "abcd \n"[random.below(6)];
    if (parts.ranks.find("\n" + rank_line(token, 0).substr(0, rank_line(token, 0).size() - 2)) !=
        std::string::npos)
      token = "~" + std::to_string(rank);
    parts.ranks += rank_line(token, rank);
  }
  parts.special = R"({"<|im_end|>":600,"<think>":601})";
  parts.more = R"(,"allowed_special":["<think>"],"normalizer":"NFC")";
  const Tokenizer tokenizer = parts.load().value();
  const auto bytes = detail::write_snapshot(tokenizer).value();
  const Tokenizer copy = detail::read_snapshot(bytes, nullptr, "snapshot").value();
  for (int i = 0; i < 300; ++i) {
    CAPTURE(kSeed, i);
    std::string text = i % 2 == 0 ? random.next() : std::string();
    for (std::uint64_t n = random.below(200); n > 0; --n)
      text += "abcd  \n"[random.below(i % 3 == 0 ? 4 : 7)];
    const auto expected = tokenizer.encode(text).value();
    REQUIRE(copy.encode(text).value() == expected);
    detail::IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
    for (std::size_t pos = 0, n = 0; pos < text.size(); pos += n) {
      n = random.below(7) + 1;
      encoder.append(std::string_view(text).substr(pos, n)).throw_if_error();
    }
    encoder.finish().throw_if_error();
    REQUIRE(std::vector<TokenId>(encoder.ids().begin(), encoder.ids().end()) == expected);
  }
}
