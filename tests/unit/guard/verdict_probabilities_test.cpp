// SPDX-License-Identifier: Apache-2.0
// That probabilities fit what is said, and that ties go to the more severe, on weights that no training has
// made sensible: the tiny Gen checkpoint with other embeddings, which are its language-model head, too.
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "q3g_catch.hpp"
#include "qwen3guard/qwen3guard.hpp"
#include "tiny_models.hpp"
#include "util/model_files.hpp"

using namespace qwen3guard;

namespace {

/// That checkpoint's files, whose embeddings can be written.
class TinyGen {
 public:
  TinyGen() {
    const detail::DirectoryFiles folder(test::tiny("gen"));
    for (const char* name : {"config.json", "tokenizer.json", "model.safetensors"}) {
      const detail::Blob blob = folder.open(name).value();
      const std::string_view text = blob.text();
      files_.push_back({name, std::vector<char>(text.begin(), text.end())});
    }
    // The embeddings are the first tensor behind the header, whose length the first 8 bytes are.
    std::uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, weights().data(), sizeof header_bytes);
    begin_ = sizeof header_bytes + header_bytes;
    const std::string_view header(weights().data() + sizeof header_bytes, header_bytes);
    REQUIRE(header.find(R"("model.embed_tokens.weight":{"dtype":"BF16","shape":[8192,64],)"
                        R"("data_offsets":[0,)") != std::string_view::npos);
  }

  /// Row `id` of the embeddings: 64 values of bfloat16.
  [[nodiscard]] char* row(TokenId id) {
    return weights().data() + begin_ + static_cast<std::size_t>(id) * kRowBytes;
  }
  void randomise(std::uint32_t seed) {
    std::mt19937 random(seed);
    for (TokenId id = 0; id < 8192; ++id) {
      for (std::size_t i = 0; i < kRowBytes; i += 2) {
        const float value = (static_cast<float>(random() >> 8) / static_cast<float>(1U << 24) - 0.5F) * 0.1F;
        std::uint32_t bits = 0;
        std::memcpy(&bits, &value, sizeof bits);
        const auto high = static_cast<std::uint16_t>(bits >> 16);
        std::memcpy(row(id) + i, &high, sizeof high);
      }
    }
  }
  [[nodiscard]] Guard load() const {
    std::vector<ModelFile> files;
    for (const auto& [name, bytes] : files_) files.push_back({name, std::as_bytes(std::span(bytes))});
    return Guard::load_memory(files, nullptr).value();
  }

  static constexpr std::size_t kRowBytes = 128;

 private:
  [[nodiscard]] std::vector<char>& weights() { return files_.back().second; }

  std::vector<std::pair<std::string, std::vector<char>>> files_;
  std::size_t begin_ = 0;
};

}  // namespace

TEST_CASE("probabilities: largest at what was decided, for any weights", "[gen][decode]") {
  for (const std::uint32_t seed : {1U, 2U, 3U}) {
    INFO("seed " << seed);
    TinyGen files;
    files.randomise(seed);
    const Guard guard = files.load();
    std::mt19937 random(seed);
    for (int i = 0; i < 24; ++i) {
      std::string prompt;
      for (int n = 0; n < 20; ++n) prompt += static_cast<char>('a' + random() % 26);
      CAPTURE(prompt);
      const Verdict verdict = guard.classify_response("Hi", prompt).value();
      const SeverityProbabilities& p = verdict.probabilities;
      REQUIRE(verdict.severity != Severity::not_judged);
      CHECK(p[verdict.severity] == std::max({p.safe, p.controversial, p.unsafe}));
      CHECK(p.safe + p.controversial + p.unsafe == Approx(1.0F).margin(1e-5));
      REQUIRE(verdict.refusal.has_value());
      CHECK(verdict.refusal->probability >= 0.5F);
      CHECK(verdict.refusal->probability <= 1.0F);
    }
  }
}

TEST_CASE("probabilities: a tie goes to the more severe", "[gen][decode]") {
  TinyGen files;
  const Guard plain = files.load();
  // Every token that can begin one of the words gets the same logit.
  std::vector<TokenId> starts;
  for (const std::string word : {" Safe", " Controversial", " Unsafe", " Yes", " No"}) {
    for (std::size_t n = 1; n <= word.size(); ++n) {
      for (TokenId id = 0; id < plain.tokenizer()->vocab_size(); ++id) {
        const auto bytes = plain.tokenizer()->token_bytes(id);
        if (bytes && *bytes == word.substr(0, n)) starts.push_back(id);
      }
    }
  }
  REQUIRE(starts.size() > 5);
  for (const TokenId id : starts) std::memcpy(files.row(id), files.row(starts.front()), TinyGen::kRowBytes);
  const Guard guard = files.load();
  const Verdict verdict = guard.classify_response("Hi", "Hello there").value();
  CHECK(verdict.severity == Severity::unsafe);
  CHECK(verdict.ruling.action == Action::block);
  CHECK(verdict.probabilities.unsafe == verdict.probabilities.safe);
  CHECK_FALSE(verdict.refusal->value);
  CHECK(verdict.refusal->probability == 0.5F);
}
