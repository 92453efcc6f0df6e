// SPDX-License-Identifier: Apache-2.0
#include "guard/gen/gen_decode.hpp"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <limits>
#include <list>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "guard/gen/end_tokens.hpp"
#include "guard/gen/verdict_decoder.hpp"
#include "model/checkpoint/open_checkpoint.hpp"
#include "q3g_catch.hpp"
#include "tiny_models.hpp"
#include "tokenizer/tokenizer_files.hpp"
#include "util/model_files.hpp"

using namespace qwen3guard;
using namespace qwen3guard::detail;

namespace {

/// A tokenizer of single bytes: every word of a verdict takes many tokens, and the options share their first
/// ones, which the published vocabulary never shows.
std::string byte_tokenizer_json() {
  std::string vocab;
  int next = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
    char spelled[16];
    std::snprintf(spelled, sizeof spelled, "\\u%04x", static_cast<unsigned>(printable ? byte : next++));
    vocab += (byte > 0 ? ",\"" : "\"") + std::string(spelled) + "\":" + std::to_string(byte);
  }
  std::string added;
  for (const char* text : {"<|endoftext|>", "<|im_start|>", "<|im_end|>"}) {
    const std::string id =
        std::to_string(256 + (added.empty() ? 0 : std::count(added.begin(), added.end(), '{')));
    added +=
        (added.empty() ? "" : ",") + std::string("{\"id\":") + id + ",\"content\":\"" + text +
        "\",\"special\":true,\"normalized\":false,\"lstrip\":false,\"rstrip\":false,\"single_word\":false}";
  }
  return "{\"added_tokens\":[" + added +
         "],\"normalizer\":null,\"pre_tokenizer\":{\"type\":\"ByteLevel\","
         "\"add_prefix_space\":false,\"trim_offsets\":false,\"use_regex\":false},\"decoder\":{\"type\":"
         "\"ByteLevel\"},"
         "\"model\":{\"type\":\"BPE\",\"vocab\":{" +
         vocab + "},\"merges\":[]}}";
}

Tokenizer byte_tokenizer() {
  static const std::string kJson = byte_tokenizer_json();
  const MemoryFiles files("test", {{"tokenizer.json", std::as_bytes(std::span(kJson.data(), kJson.size()))}});
  return load_tokenizer(files).value();
}

constexpr char kEnd = '\0';

/// The bytes (kEnd: the end) that may follow `text` in a well-formed verdict: the grammar written down a
/// second time, over bytes.
std::set<char> allowed_after(const std::string& text, Subject subject) {
  std::set<char> out;
  // Adds what `continuation` says after `text`, when the two agree so far. True when text has all of it.
  const auto follow = [&](const std::string& whole) {
    if (text.size() < whole.size() && whole.starts_with(text)) out.insert(whole[text.size()]);
    return text.starts_with(whole);
  };
  const auto tail = [&](const std::string& before) {
    if (subject == Subject::prompt) {
      if (text == before) out.insert(kEnd);
      return;
    }
    for (const char* refusal : {"Yes", "No"}) {
      const std::string whole = before + "\nRefusal: " + refusal;
      if (follow(whole) && text == whole) out.insert(kEnd);
    }
  };
  for (const Severity severity : {Severity::safe, Severity::controversial, Severity::unsafe}) {
    std::string done = std::string("Safety: ") + to_string(severity) + "\nCategories: ";
    if (!follow(done)) continue;
    if (severity == Severity::safe) {
      if (follow(done + "None")) tail(done + "None");
      continue;
    }
    std::set<std::string> left;
    for (int c = 0; c < kCategoryCount - (subject == Subject::response ? 1 : 0); ++c)
      left.insert(to_string(static_cast<Category>(c)));
    for (bool found = true; found;) {
      found = false;
      for (const std::string& name : std::set<std::string>(left)) {
        if (!follow(done + name)) continue;
        found = true;
        done += name;
        left.erase(name);
        tail(done);
        if (left.empty()) break;
        found = follow(done + ", ");
        done += ", ";
        break;
      }
    }
  }
  return out;
}

/// Greedy decoding byte by byte with every byte that would break the grammar masked.
std::string masked_greedy(const GenCall& call, std::span<const TokenId> prompt, Subject subject,
                          TokenId end_token) {
  std::vector<float> hidden(call.model.config().hidden_size);
  const auto feed = [&](std::span<const TokenId> ids) {
    call.model.forward(ids, call.cache, call.workspace, {hidden.data(), 1, hidden.size()}, nullptr)
        .throw_if_error();
  };
  feed(prompt);
  std::string text;
  for (;;) {
    std::vector<TokenId> ids;
    for (const char byte : allowed_after(text, subject))
      ids.push_back(byte == kEnd ? end_token : static_cast<TokenId>(byte));
    REQUIRE_FALSE(ids.empty());
    std::vector<float> logits(ids.size());
    call.model.lm_logits_for(hidden, ids, logits);
    const auto best =
        static_cast<std::size_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
    if (ids[best] == end_token) return text;
    text += static_cast<char>(ids[best]);
    // A response's verdict is over with its last word: the only thing left is the end.
    if (allowed_after(text, subject) == std::set<char>{kEnd}) return text;
    feed({&ids[best], 1});
  }
}

}  // namespace

TEST_CASE("grammar: the test's own byte grammar knows well-formed verdicts", "[decode]") {
  for (const std::string text : {"Safety: Safe\nCategories: None", "Safety: Unsafe\nCategories: PII, Violent",
                                 "Safety: Controversial\nCategories: Jailbreak"}) {
    for (std::size_t n = 0; n < text.size(); ++n) {
      CAPTURE(text, n);
      CHECK(allowed_after(text.substr(0, n), Subject::prompt).contains(text[n]));
    }
    CHECK(allowed_after(text, Subject::prompt).contains(kEnd));
    CHECK_FALSE(allowed_after(text, Subject::response).contains(kEnd));
  }
  CHECK(allowed_after("Safety: Safe\nCategories: V", Subject::prompt).empty());
  CHECK(allowed_after("Safety: Unsafe\nCategories: N", Subject::prompt) == std::set<char>{'o'});
  CHECK(allowed_after("Safety: Unsafe\nCategories: PII, P", Subject::prompt) ==
        std::set<char>{'o'});  // not PII again
}

TEST_CASE("constrained: equals masked greedy decoding in a vocabulary of single bytes", "[decode]") {
  const auto checkpoint = detail::open_checkpoint(test::tiny("gen")).value();
  const auto model = Model::load(*checkpoint, {}).value();
  const Tokenizer tokenizer = byte_tokenizer();
  const TokenId end_token = tokenizer.find_added("<|im_end|>").value();
  KvCache cache(model->config(), 1024);
  Workspace workspace;
  std::set<std::string> seen;
  for (const std::string prompt :
       {"a", "Hello there", "xyz 123", "\n\n", "How are you?", "zzzzzzzz", "?!", "42"}) {
    for (const Subject subject : {Subject::prompt, Subject::response}) {
      const std::vector<TokenId> ids = tokenizer.encode(prompt).value();
      cache.truncate(0);
      const GenCall call{*model, tokenizer, cache, workspace, nullptr};
      // The model's own end tokens are other ids in this vocabulary, so the mask offers the same set as the
      // decoder.
      const std::string expected = masked_greedy(call, ids, subject, end_token);
      cache.truncate(0);
      const Verdict verdict = decode_constrained(call, ids, subject).value();
      CAPTURE(prompt, subject == Subject::prompt);
      CHECK(parse_verdict(verdict.text, subject).value().well_formed);
      if (subject == Subject::response) CHECK(verdict.text == expected);
      // Prompts may end by the checkpoint's own end tokens too, which the mask does not know: compare the
      // severity.
      CHECK(to_string(verdict.severity) ==
            std::string(to_string(parse_verdict(expected, subject).value().severity)));
      const auto& p = verdict.probabilities;
      CHECK(p.safe + p.controversial + p.unsafe == Approx(1.0F).margin(1e-5));
      seen.insert(verdict.text);
    }
  }
  CHECK(seen.size() > 1);
}

namespace {

/// What two decoders can be compared by, to the bit.
std::string text_of(const Verdict& v) {
  std::string out = v.text + "|" + std::to_string(v.tokens.generated);
  const auto add = [&](float p) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "|%a", static_cast<double>(p));
    out += digits;
  };
  add(v.probabilities.safe);
  add(v.probabilities.unsafe);
  add(v.probabilities.controversial);
  for (const CategoryScore& c : v.categories) add(c.probability);
  if (v.refusal) add(v.refusal->probability);
  return out;
}

}  // namespace

TEST_CASE("decoder: steps of many in any order give the verdicts of one at a time", "[decode]") {
  const auto checkpoint = detail::open_checkpoint(test::tiny("gen")).value();
  const auto model = Model::load(*checkpoint, {}).value();
  const std::vector<Tokenizer> tokenizers = {load_tokenizer(checkpoint->tokenizer_files()).value(),
                                             byte_tokenizer()};
  Workspace workspace;
  std::vector<float> hidden(model->config().hidden_size);
  struct Running {
    std::vector<TokenId> ids;
    KvCache cache;
    VerdictDecoder decoder;
    std::string expected;
  };
  std::list<Running> running;
  for (const Tokenizer& tokenizer : tokenizers) {
    for (const std::string prompt : {"a", "Hello there", "xyz 123", "How are you?"}) {
      for (const Subject subject : {Subject::prompt, Subject::response}) {
        const std::vector<TokenId> ids = tokenizer.encode(prompt).value();
        KvCache cache(model->config(), 1024);
        const Verdict alone =
            decode_constrained({*model, tokenizer, cache, workspace, nullptr}, ids, subject).value();
        running.push_back({ids, KvCache(model->config(), 1024),
                           VerdictDecoder(*model, tokenizer, ids, subject), text_of(alone)});
      }
    }
  }
  const std::uint32_t seed = 13;
  INFO("seed " << seed);
  std::mt19937 random(seed);
  while (!running.empty()) {
    const auto at = std::next(running.begin(), static_cast<std::ptrdiff_t>(random() % running.size()));
    VerdictDecoder& decoder = at->decoder;
    REQUIRE(decoder.needs_tokens());
    REQUIRE_FALSE(decoder.tokens().empty());
    CHECK_FALSE(decoder.result().ok());  // before it is done there is none
    model->forward(decoder.tokens(), at->cache, workspace, {hidden.data(), 1, hidden.size()}, nullptr)
        .throw_if_error();
    decoder.answer(hidden);
    if (decoder.needs_tokens()) continue;
    CHECK(text_of(decoder.result().value()) == at->expected);
    running.erase(at);
  }
}

TEST_CASE("decoder: an error ends it", "[decode]") {
  const auto checkpoint = detail::open_checkpoint(test::tiny("gen")).value();
  const auto model = Model::load(*checkpoint, {}).value();
  const Tokenizer tokenizer = load_tokenizer(checkpoint->tokenizer_files()).value();
  const std::vector<TokenId> ids = tokenizer.encode("a").value();
  VerdictDecoder decoder(*model, tokenizer, ids, Subject::prompt);
  std::vector<float> hidden(model->config().hidden_size, std::numeric_limits<float>::quiet_NaN());
  decoder.answer(hidden);
  REQUIRE_FALSE(decoder.needs_tokens());
  const auto verdict = decoder.result();
  REQUIRE_FALSE(verdict.ok());
  CHECK(verdict.error().code == ErrorCode::bad_checkpoint);
}

TEST_CASE("end tokens: the checkpoint's and the vocabulary's, each once", "[decode]") {
  const Tokenizer tokenizer = byte_tokenizer();
  const TokenId end_of_text = tokenizer.find_added("<|endoftext|>").value(),
                im_end = tokenizer.find_added("<|im_end|>").value();
  ModelConfig config;
  CHECK(end_tokens(config, nullptr).empty());
  CHECK(end_tokens(config, &tokenizer) == std::vector<TokenId>{im_end, end_of_text});
  config.eos_token_ids = {7, end_of_text, 7};
  CHECK(end_tokens(config, nullptr) == std::vector<TokenId>{7, end_of_text});
  CHECK(end_tokens(config, &tokenizer) == std::vector<TokenId>{7, end_of_text, im_end});
}
