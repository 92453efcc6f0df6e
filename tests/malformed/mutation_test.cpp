// SPDX-License-Identifier: Apache-2.0
// Seeded damage: whatever the bytes, loading ends in a model or in an Error. Meant to run under ASan and
// UBSan too.
#include <random>

#include "malformed/checkpoint_builder.hpp"
#include "model/model.hpp"
#include "model/workspace.hpp"
#include "q3g_catch.hpp"

using namespace q3g_test;
using namespace qwen3guard::detail;

namespace {

constexpr std::uint64_t kSeed = 20240917;

/// Loads; when that works, the model must run too.
bool survives(const std::map<std::string, std::string>& contents) {
  const auto model = load_model(contents, {.n_threads = 1, .isa = ""});
  if (!model.ok()) return !model.error().detail.empty();
  KvCache cache((*model)->config(), 4);
  Workspace workspace;
  const std::vector<qwen3guard::TokenId> ids = {0, 0, 0};
  std::vector<float> hidden((*model)->config().hidden_size);
  return (*model)->forward(ids, cache, workspace, {hidden.data(), 1, hidden.size()}, nullptr).ok();
}

/// One to four random edits of the first `range` bytes: a flipped bit, a byte of JSON's alphabet, a cut, a
/// doubling.
std::string damage(std::string bytes, std::size_t range, std::mt19937_64& random) {
  static constexpr std::string_view kAlphabet = "0123456789-+.eE{}[],:\"\\ nulltruefalse\xff";
  for (auto n = 1 + random() % 4; n > 0 && !bytes.empty(); --n) {
    const std::size_t at = random() % std::min(range, bytes.size());
    switch (random() % 8) {
      case 0:
        bytes.resize(at);
        break;
      case 1:
        bytes.insert(at, bytes.substr(at, 1 + random() % 16));
        break;
      case 2:
        bytes.erase(at, 1 + random() % 16);
        break;
      case 3:
      case 4:
        bytes[at] = static_cast<char>(bytes[at] ^ (1 << (random() % 8)));
        break;
      default:
        bytes[at] = kAlphabet[random() % kAlphabet.size()];
    }
  }
  return bytes;
}

}  // namespace

TEST_CASE("malformed: random damage never crashes", "[model][malformed]") {
  std::mt19937_64 random(kSeed);
  INFO("seed " << kSeed);
  for (const CheckpointSpec& sound : {causal_checkpoint(), guard_checkpoint()}) {
    const auto contents = sound.contents();
    const std::size_t header = 8 + sound.model.header().size();
    for (const auto& [file, range] : {std::pair<const char*, std::size_t>{"model.safetensors", header},
                                      {"config.json", contents.at("config.json").size()}}) {
      for (int i = 0; i < 2000; ++i) {
        auto broken = contents;
        broken[file] = damage(broken[file], range, random);
        INFO(file << " case " << i);
        REQUIRE(survives(broken));
      }
    }
  }
}

TEST_CASE("malformed: every truncation is refused", "[model][malformed]") {
  const auto contents = causal_checkpoint().contents();
  for (std::size_t n = 0; n < contents.at("model.safetensors").size(); ++n) {
    auto broken = contents;
    broken["model.safetensors"].resize(n);
    INFO("cut to " << n << " bytes");
    CHECK_FALSE(load_model(broken, {.n_threads = 1, .isa = ""}).ok());
  }
}
