// SPDX-License-Identifier: Apache-2.0
#include "q3g_catch.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;
using test::JsonParts;

namespace {

void check_error(const Result<Tokenizer>& result, ErrorCode code, const std::string& words) {
  CAPTURE(words);
  REQUIRE_FALSE(result.ok());
  CAPTURE(result.error().detail);
  CHECK(result.error().code == code);
  CHECK(result.error().detail.find(words) != std::string::npos);
  CHECK(result.error().detail.find("tokenizer.json") != std::string::npos);
}

struct Case {
  const char* replacement;
  const char* words;
};

/// Loads the fixture with one part replaced; the replacement gives an error with these words.
void check_each(std::string JsonParts::*part, ErrorCode code, std::initializer_list<Case> cases) {
  for (const Case& one : cases) {
    JsonParts parts;
    parts.*part = one.replacement;
    CAPTURE(one.replacement);
    check_error(parts.load(), code, one.words);
  }
}

constexpr auto kBad = ErrorCode::bad_tokenizer;
constexpr auto kUnsupported = ErrorCode::unsupported_model;

}  // namespace

TEST_CASE("load: the fixture itself is sound", "[tokenizer]") { REQUIRE(JsonParts().load().ok()); }

TEST_CASE("load: files that are not there", "[tokenizer]") {
  const auto nowhere = Tokenizer::load("/no/such/folder/tokenizer.json");
  REQUIRE_FALSE(nowhere.ok());
  CHECK(nowhere.error().code == ErrorCode::file_not_found);
  const auto empty = test::load_from({});
  REQUIRE_FALSE(empty.ok());
  CHECK(empty.error().code == ErrorCode::file_not_found);
  CHECK(empty.error().detail.find("tokenizer.json") != std::string::npos);
}

TEST_CASE("load: not the JSON it should be", "[tokenizer]") {
  for (const char* text : {"", "{", "[]", "null", "{}", R"({"model":[]})", R"({"model":{}})",
                           R"({"model":{"vocab":[]}})", "{\"a\":\"\xFF\"}"})
    check_error(test::load_from({{"tokenizer.json", text}}), kBad, "test");
}

TEST_CASE("load: a file cut anywhere", "[tokenizer]") {
  const std::string whole = JsonParts().json();
  for (std::size_t n = 0; n < whole.size(); n += 7) {
    const auto result = test::load_from({{"tokenizer.json", whole.substr(0, n)}});
    CAPTURE(n);
    REQUIRE_FALSE(result.ok());
    REQUIRE(result.error().code == kBad);
  }
}

TEST_CASE("load: a byte changed anywhere is an error or a tokenizer, never worse", "[tokenizer]") {
  constexpr std::uint64_t kSeed = 4401;
  test::RandomText random(kSeed);
  const std::string whole = JsonParts().json();
  for (int i = 0; i < 3000; ++i) {
    std::string damaged = whole;
    for (std::uint64_t n = random.below(3) + 1; n > 0; --n)
      damaged[random.below(damaged.size())] =
          static_cast<char>(static_cast<unsigned char>(random.below(256)));
    const auto result = test::load_from({{"tokenizer.json", damaged}});
    CAPTURE(kSeed, i);
    if (result.ok()) {
      REQUIRE(result->encode("abc <|end|> xyz\n").ok());
    } else {
      REQUIRE((result.error().code == kBad || result.error().code == kUnsupported));
      REQUIRE_FALSE(result.error().detail.empty());
    }
  }
}

TEST_CASE("load: vocabulary", "[tokenizer]") {
  const std::string bytes = test::byte_vocabulary();
  const std::pair<std::string, const char*> cases[] = {
      {bytes + R"(,"ab":-1)", R"(model.vocab["ab"]: id -1 is not in [0, 4194304))"},
      {bytes + R"(,"ab":2147483648)", R"(model.vocab["ab"]: id 2147483648 is not in)"},
      {bytes + R"(,"ab":9223372036854775807)", R"(model.vocab["ab"]: id 9223372036854775807 is not in)"},
      {bytes + R"(,"ab":18446744073709551615)", R"(model.vocab["ab"] is not an integer)"},
      {bytes + R"(,"ab":"256")", R"(model.vocab["ab"] is not an integer)"},
      {bytes + R"(,"ab":1.5)", R"(model.vocab["ab"] is not an integer)"},
      {bytes + R"(,"ab":97)", R"(model.vocab["ab"]: id 97 is taken)"},
      {bytes + R"(,"":256)", "an empty token"},
      {bytes + R"(,"ab":256,"ab":257)", "model.vocab: id 257 has the bytes of id 256"},
      {R"("a":0,"b":1)", "no token for the single byte 0; all 256 are needed"},
      {"", "no token for the single byte 0"}};
  for (const auto& [vocabulary, words] : cases) {
    JsonParts parts;
    parts.vocabulary = vocabulary;
    check_error(parts.load(), kBad, words);
  }
  JsonParts far;  // the largest id that is allowed does not need much memory
  far.added = R"([{"id":4194303,"content":"<far>"}])";
  CHECK(far.load().value().vocab_size() == 4194304);
}

TEST_CASE("load: merges", "[tokenizer]") {
  check_each(&JsonParts::merges, kBad,
             {{"{}", "model.merges is missing or no array"},
              {R"(["a b","x"])", R"(model.merges[1]: "x" is not two tokens)"},
              {R"(["a b c"])", R"(model.merges[0]: "a b c" is not two tokens)"},
              {R"([""])", "model.merges[0]"},
              {R"([" b"])", R"("" is no token)"},
              {R"(["a "])", R"("" is no token)"},
              {R"([["a"]])", R"(model.merges[0]: neither "a b" nor ["a", "b"])"},
              {R"([["a","b","c"]])", "model.merges[0]: neither"},
              {R"([["a",1]])", "model.merges[0]: neither"},
              {"[7]", "model.merges[0]: neither"},
              {R"(["a b","abx c"])", R"(model.merges[1]: "abx" is no token)"},
              {R"(["x y"])", R"("x" and "y" make what is no token)"},
              {R"(["\u4e2d a"])", "is no token"}});
}

TEST_CASE("load: added tokens", "[tokenizer]") {
  check_each(&JsonParts::added, kBad,
             {{"{}", "added_tokens is not an array"},
              {"[7]", "added_tokens[0].id is missing"},
              {R"([{"content":"x"}])", "added_tokens[0].id is missing or no integer"},
              {R"([{"id":"7","content":"x"}])", "added_tokens[0].id is missing or no integer"},
              {R"([{"id":-5,"content":"<x>"}])", "added_tokens[0].id is -5, not in"},
              {R"([{"id":4194304,"content":"<x>"}])", "added_tokens[0].id is 4194304"},
              {R"([{"id":300}])", "added_tokens[0].content is missing"},
              {R"([{"id":300,"content":""}])", "added_tokens[0]: content is empty"},
              {R"([{"id":300,"content":"<x>","special":1}])", "added_tokens[0].special is not true or false"},
              {R"([{"id":300,"content":"<x>"},{"id":300,"content":"<y>"}])", "added_tokens[1]: id 300"},
              {R"([{"id":300,"content":"<x>"},{"id":301,"content":"<x>"}])", "is there twice"},
              {R"([{"id":256,"content":"<x>"}])", "added_tokens[0]: id 256 is taken by another token"}});
  check_each(&JsonParts::added, kUnsupported,
             {{R"([{"id":300,"content":"<x>","single_word":true}])", "single_word"}});
}

TEST_CASE("load: no merge may make a control token", "[tokenizer]") {
  check_each(&JsonParts::added, kBad,
             {{R"([{"id":257,"content":"abc","special":true}])", "model.merges[1]"}});
  JsonParts parts;
  parts.added = R"([{"id":257,"content":"abc","special":false}])";
  CHECK(parts.load().ok());
}

TEST_CASE("load: model settings", "[tokenizer]") {
  check_each(&JsonParts::model_extra, kUnsupported,
             {{R"(,"dropout":0.1)", "model.dropout"},
              {R"(,"byte_fallback":true)", "model.byte_fallback"},
              {R"(,"end_of_word_suffix":"</w>")", "model.end_of_word_suffix"},
              {R"(,"continuing_subword_prefix":"##")", "model.continuing_subword_prefix"}});
  check_each(&JsonParts::model_extra, kBad,
             {{R"(,"dropout":"x")", "model.dropout"},
              {R"(,"ignore_merges":1)", "model.ignore_merges"},
              {R"(,"byte_fallback":0)", "model.byte_fallback"},
              {R"(,"end_of_word_suffix":1)", "model.end_of_word_suffix"}});
  JsonParts parts;
  parts.model_extra =
      R"(,"dropout":null,"unk_token":null,"continuing_subword_prefix":"","ignore_merges":true)";
  CHECK(parts.load().ok());
  std::string word_piece = JsonParts().json();
  word_piece.replace(word_piece.find("\"BPE\""), 5, "\"WordPiece\"");
  check_error(test::load_from({{"tokenizer.json", word_piece}}), kUnsupported, "WordPiece");
}

TEST_CASE("load: normaliser", "[tokenizer]") {
  check_each(
      &JsonParts::normalizer, kUnsupported,
      {{R"({"type":"NFKC"})", R"(normalizer.type is "NFKC")"},
       {R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Lowercase"}]})", "normalizers[1]"}});
  check_each(&JsonParts::normalizer, kBad,
             {{"7", "normalizer.type"}, {R"({"type":"Sequence"})", "normalizers is missing"}});
  for (const char* sound : {"null", R"({"type":"Sequence","normalizers":[{"type":"NFC"}]})",
                            R"({"type":"Sequence","normalizers":[]})"}) {
    JsonParts parts;
    parts.normalizer = sound;
    CHECK(parts.load().ok());
  }
}

TEST_CASE("load: pre-tokeniser", "[tokenizer]") {
  const std::string refused = test::split_by("(?<=a)b");
  check_each(
      &JsonParts::pre_tokenizer, kUnsupported,
      {{"null", "no pre_tokenizer"},
       {R"({"type":"Whitespace"})", R"(pre_tokenizer.type is "Whitespace")"},
       {R"({"type":"ByteLevel"})", "add_prefix_space"},
       {R"({"type":"Sequence","pretokenizers":[]})", "no ByteLevel step"},
       {R"({"type":"Sequence","pretokenizers":[{"type":"Digits"}]})", R"(pretokenizers[0].type is "Digits")"},
       {R"({"type":"Split","pattern":{"Regex":"a"},"behavior":"Removed"})", "behavior"},
       {R"({"type":"Split","pattern":{"String":"a"},"behavior":"Isolated"})", "String"},
       {refused.c_str(), "pretokenizers[0].pattern"}});
  check_each(&JsonParts::pre_tokenizer, kBad,
             {{"[]", "pre_tokenizer.type"},
              {R"({"type":"Sequence"})", "pretokenizers is missing"},
              {R"({"type":"Split","pattern":{"Regex":"a"}})", "behavior is missing"},
              {R"({"type":"Split","behavior":"Isolated"})", "pattern is missing"},
              {R"({"type":"Split","pattern":"a","behavior":"Isolated"})", "pattern is not"},
              {R"({"type":"Split","pattern":{"Regex":"a"},"behavior":"Isolated","invert":1})", "invert"},
              {R"({"type":"ByteLevel","add_prefix_space":0})", "add_prefix_space is not true or false"}});
#ifndef Q3G_WITHOUT_RE2
  JsonParts parts;
  parts.pre_tokenizer = test::split_by("\\\\p{N}{1,3}");
  CHECK(parts.load().value().encode("1234ab").value() == std::vector<TokenId>{'1', '2', '3', '4', 256});
#endif
}

TEST_CASE("load: errors quote little of what they complain of", "[tokenizer]") {
  std::string text;
  while (text.size() < 2'000'000) text += "\\n\\u001b[2J\xC3\xA9 x";
  const auto check = [](const JsonParts& parts) {
    const auto loaded = parts.load();
    REQUIRE_FALSE(loaded.ok());
    CAPTURE(loaded.error().detail.substr(0, 1000));
    CHECK(loaded.error().detail.size() < 1000);
    CHECK(loaded.error().detail.find_first_of("\n\x1B") == std::string::npos);
  };
  for (const std::string& member : {",\"" + text + "\":\"x\"", ",\"" + text + "\":-1"}) {
    JsonParts parts;
    parts.vocabulary += member;
    check(parts);
  }
  for (const std::string& merge : {text, text + " a", "a " + text}) {
    JsonParts parts;
    parts.merges = "[\"" + merge + "\"]";
    check(parts);
  }
  JsonParts parts;
  const std::string token = R"({"content":")" + text + R"(","id":)";
  parts.added = "[" + token + "260}," + token + "261}]";
  check(parts);
  parts = {};
  parts.model_extra = ",\"type\":\"" + text + "\"";
  parts.normalizer = R"({"type":")" + text + "\"}";
  check(parts);
  parts = {};
  parts.pre_tokenizer = R"({"type":")" + text + "\"}";
  check(parts);
  for (const std::string& regex : {text + "(?=a", text + "\\\\b", "(?" + text + ")"}) {
    parts.pre_tokenizer = test::split_by(regex);
    check(parts);
  }
}
