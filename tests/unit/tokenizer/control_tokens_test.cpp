// SPDX-License-Identifier: Apache-2.0
// Nobody writes a control token in a message, whatever the files say of it.
#include "q3g_catch.hpp"
#include "tokenizer/incremental_encoder.hpp"
#include "tokenizer/snapshot.hpp"
#include "tokenizer_fixture.hpp"

using namespace qwen3guard;

namespace {

constexpr std::string_view kControl[] = {"<|endoftext|>", "<|im_start|>",     "<|im_end|>",
                                         "<|im_end|>\n",  "<|vision_start|>", "<|anything else|>"};
constexpr std::string_view kPlain[] = {"<think>",        "</think>",        "<tool_call>",
                                       "</tool_call>",   "<tool_response>", "</tool_response>",
                                       "<|fim_prefix|>", "<|fim_middle|>",  "<|fim_suffix|>",
                                       "<|fim_pad|>",    "<|repo_name|>",   "<|file_sep|>"};

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) out += c == '\n' ? std::string("\\n") : std::string(1, c);
  return out + "\"";
}

/// "\"content\": ..., \"special\": ..." of each token, with ids from 260 on.
template <class Visit>
void each_token(const std::string& special, const Visit& visit) {
  TokenId id = 260;
  const auto entry = [&](std::string_view content) {
    visit(id++, "\"content\":" + json_string(content) + special);
  };
  for (const std::string_view content : kControl) entry(content);
  for (const std::string_view content : kPlain) entry(content);
}

/// `special`: the JSON behind the content of every added token.
Tokenizer from_json(const std::string& special) {
  std::string tokens;
  each_token(special, [&](TokenId id, const std::string& fields) {
    tokens += (tokens.empty() ? "" : ",") + ("{\"id\":" + std::to_string(id) + "," + fields + "}");
  });
  test::JsonParts parts;
  parts.added = "[" + tokens + "]";
  return parts.load().value();
}

Tokenizer from_two_files(const std::string& special) {
  std::string tokens;
  each_token(special, [&](TokenId id, const std::string& fields) {
    tokens += (tokens.empty() ? "\"" : ",\"") + std::to_string(id) + "\":{" + fields + "}";
  });
  return test::load_from({{"vocab.json", "{" + test::byte_vocabulary() + R"(,"ab":256})"},
                          {"merges.txt", "a b\n"},
                          {"tokenizer_config.json", R"({"added_tokens_decoder":{)" + tokens + "}}"}})
      .value();
}

std::vector<TokenId> bytes_of(std::string_view text) {
  std::vector<TokenId> out;
  for (const char c : text) out.push_back(static_cast<unsigned char>(c));
  return out;
}

std::vector<TokenId> encode_in_pieces(const Tokenizer& tokenizer, std::string_view text, std::size_t n) {
  detail::IncrementalEncoder encoder(tokenizer, InvalidUtf8::reject);
  for (std::size_t pos = 0; pos < text.size(); pos += n) encoder.append(text.substr(pos, n)).throw_if_error();
  encoder.finish().throw_if_error();
  return {encoder.ids().begin(), encoder.ids().end()};
}

void check(const Tokenizer& tokenizer, bool plain_is_special) {
  for (const std::string_view content : kControl) {
    CAPTURE(content);
    const TokenId id = tokenizer.find_added(content).value();
    CHECK(tokenizer.is_special(id));
    CHECK(tokenizer.encode(content, SpecialTokens::recognized).value() == std::vector<TokenId>{id});
    // The bytes of what the normaliser and the merges leave alone.
    const std::string text = "x" + std::string(content) + "x";
    const auto ids = tokenizer.encode(text).value();
    CHECK(ids == bytes_of(text));
    CHECK(tokenizer.decode(std::vector<TokenId>{'x', id}, true).value() == "x");
    for (const std::size_t n : {1u, 3u, 64u}) CHECK(encode_in_pieces(tokenizer, text, n) == ids);
  }
  for (const std::string_view content : kPlain) {
    CAPTURE(content);
    const TokenId id = tokenizer.find_added(content).value();
    CHECK(tokenizer.is_special(id) == plain_is_special);
    const auto expected = plain_is_special ? bytes_of(content) : std::vector<TokenId>{id};
    CHECK(tokenizer.encode(content).value() == expected);
    for (const std::size_t n : {1u, 3u, 64u}) CHECK(encode_in_pieces(tokenizer, content, n) == expected);
  }
}

}  // namespace

TEST_CASE("control tokens stay text in messages, whatever the files say", "[tokenizer][control]") {
  for (const std::string flags : {R"(,"special":false)", R"(,"special":null)", "", R"(,"special":true)",
                                  R"(,"special":false,"normalized":true)"}) {
    CAPTURE(flags);
    const bool plain_is_special = flags == R"(,"special":true)";
    const Tokenizer json = from_json(flags);
    check(json, plain_is_special);
    check(from_two_files(flags), plain_is_special);
    const auto snapshot = detail::write_snapshot(json).value();
    check(detail::read_snapshot(snapshot, nullptr, "snapshot").value(), plain_is_special);
  }
}

TEST_CASE("control tokens: a snapshot that marks none has them all the same", "[tokenizer][control]") {
  auto snapshot = detail::write_snapshot(from_json("")).value();
  // Each record of an added token begins with its id and its flags.
  int n_cleared = 0;
  for (TokenId id = 260; id < 260 + static_cast<TokenId>(std::size(kControl)); ++id) {
    std::byte record[8] = {static_cast<std::byte>(id & 0xFF), static_cast<std::byte>(id >> 8)};
    record[4] = std::byte{1};
    const auto found = std::search(snapshot.begin(), snapshot.end(), std::begin(record), std::end(record));
    REQUIRE(found != snapshot.end());
    found[4] = std::byte{0};
    ++n_cleared;
  }
  CHECK(n_cleared == static_cast<int>(std::size(kControl)));
  check(detail::read_snapshot(snapshot, nullptr, "snapshot").value(), false);
}

TEST_CASE("control tokens: merges that make one are refused, listed as added or not",
          "[tokenizer][control]") {
  test::JsonParts parts;
  parts.added = "[]";
  parts.pre_tokenizer = test::split_by("[^x]+");
  std::string text = "<";
  parts.merges.clear();
  TokenId id = 256;
  for (const char c : std::string_view("|im_end|>")) {
    parts.merges += (parts.merges.empty() ? "[[\"" : ",[\"") + text + "\",\"" + c + "\"]";
    text += c;
    parts.vocabulary =
        (id == 256 ? test::byte_vocabulary() : parts.vocabulary) + ",\"" + text + "\":" + std::to_string(id);
    ++id;
  }
  parts.merges += "]";
  for (const std::string added : {"[]", R"([{"id":264,"content":"<|im_end|>","special":false}])"}) {
    parts.added = added;
    const auto loaded = parts.load();
    REQUIRE_FALSE(loaded.ok());
    CHECK(loaded.error().code == ErrorCode::bad_tokenizer);
    CHECK(loaded.error().detail.find("a control token") != std::string::npos);
  }
#ifndef Q3G_WITHOUT_RE2  // whose pattern keeps the token's text in one word
  // Without the last merge no text leads there.
  parts.merges = parts.merges.substr(0, parts.merges.rfind(",[")) + "]";
  parts.added = "[]";
  const Tokenizer tokenizer = parts.load().value();
  CHECK(tokenizer.encode("<|im_end|>").value() == std::vector<TokenId>{263, '>'});
  CHECK(tokenizer.is_special(264));
#endif
}
