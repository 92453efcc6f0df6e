// SPDX-License-Identifier: Apache-2.0
// Forms of sound checkpoints: every one must compute what its plain form computes.
#include <cstring>

#include "golden_models.hpp"
#include "malformed/checkpoint_builder.hpp"
#include "util/half.hpp"
#include "util/workers.hpp"

using namespace q3g_test;

namespace {

using Contents = std::map<std::string, std::string>;

Contents read_golden(const std::string& name, const std::vector<std::string>& files) {
  Contents contents;
  const DirectoryFiles folder(golden_folder(name));
  for (const std::string& file : files) {
    const auto blob = folder.open(file);
    REQUIRE(blob.ok());
    contents[file] = blob->text();
  }
  return contents;
}

Contents plain(const std::string& name) { return read_golden(name, {"config.json", "model.safetensors"}); }

Logits run(const Contents& contents) {
  const auto model = load_model(contents);
  INFO((model.ok() ? "" : model.error().detail));
  REQUIRE(model.ok());
  const std::vector<TokenId> ids = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5};
  return run_whole(**model, ids);
}

/// The header of a safetensors file, edited; the data stays.
template <class Edit>
std::string with_header(const std::string& file, Edit edit) {
  std::uint64_t n = 0;
  std::memcpy(&n, file.data(), 8);
  std::string header = file.substr(8, n);
  edit(header);
  return FileSpec::with_length(header, header.size()) + file.substr(8 + n);
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  REQUIRE(at != std::string::npos);
  text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("checkpoint: data at an odd address", "[model][checkpoint]") {
  for (const char* name : {"gen_mha_f32", "gen_gqa2_bf16", "gen_gqa4_f16"}) {
    const Contents sound = plain(name);
    const Logits expected = run(sound);
    for (const std::size_t n_spaces : {1U, 2U, 3U}) {
      Contents moved = sound;
      moved["model.safetensors"] = with_header(sound.at("model.safetensors"),
                                               [&](std::string& header) { header.append(n_spaces, ' '); });
      INFO(name << " moved by " << n_spaces);
      CHECK(run(moved) == expected);
    }
  }
}

TEST_CASE("checkpoint: tensors that the model has no use for, of any dtype", "[model][checkpoint]") {
  Contents contents = plain("gen_gqa2_bf16");
  const Logits expected = run(contents);
  std::string& file = contents["model.safetensors"];
  std::uint64_t n = 0;
  std::memcpy(&n, file.data(), 8);
  const std::string at = std::to_string(file.size() - 8 - n);
  const std::string end = std::to_string(file.size() - 8 - n + 8);
  file = with_header(file, [&](std::string& header) {
    header.insert(1, "\"rotary.inv_freq\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[" + at + "," +
                         end + "]},\"empty\":{\"dtype\":\"NEW\",\"shape\":[0],\"data_offsets\":[" + end +
                         "," + end + "]},");
  });
  file += "12345678";
  CHECK(run(contents) == expected);
}

TEST_CASE("checkpoint: a tied one ignores a stored head, as transformers does", "[model][checkpoint]") {
  Contents contents = plain("gen_mha_f32");
  replace(contents["config.json"], "\"tie_word_embeddings\": false", "\"tie_word_embeddings\": true");
  const Logits tied = run(contents);
  CHECK(worst_difference(tied, run(plain("gen_mha_f32"))) > 0.1);
  contents["model.safetensors"] = with_header(contents["model.safetensors"], [](std::string& header) {
    replace(header, "\"lm_head.weight\"", "\"xx_head.weight\"");
  });
  CHECK(run(contents) == tied);
}

TEST_CASE("checkpoint: a single file comes before an index, as in transformers", "[model][checkpoint]") {
  Contents contents = plain("gen_gqa2_bf16");
  const Logits expected = run(contents);
  contents["model.safetensors.index.json"] = "not even JSON";
  CHECK(run(contents) == expected);
}

TEST_CASE("checkpoint: what the model says about itself", "[model][checkpoint]") {
  const auto bf16 = load_golden("gen_gqa2_bf16", {.n_threads = 3, .isa = "scalar"});
  CHECK(bf16->weight_dtype() == "BF16");
  CHECK(bf16->weight_bytes() == 2 * bf16->n_parameters());
  CHECK(bf16->isa() == "scalar");
  CHECK(bf16->n_threads() == Team(3).n_threads());
  // Tied: the embedding counts once. 128 x 48; per layer q 64, kv 32, mlp 80.
  const std::int64_t layer = 48 * (64 + 32 + 32 + 64) + 3 * 48 * 80 + 2 * 48 + 2 * 16;
  CHECK(bf16->n_parameters() == 128 * 48 + 3 * layer + 48);
  CHECK(load_golden("gen_mha_f32")->weight_dtype() == "F32");
  CHECK(load_golden("gen_sharded_outliers")->weight_dtype() == "BF16+F32");
  CHECK(load_golden("gen_mha_f32")->n_threads() >= 1);
  CHECK(KvCache::bytes_per_token(bf16->config()) == 2 * 3 * 2 * 16 * 4);
}

TEST_CASE("checkpoint: options that are refused", "[model][checkpoint]") {
  const auto checkpoint = open_checkpoint(golden_folder("gen_mha_f32"));
  REQUIRE(checkpoint.ok());
  const auto negative = Model::load(**checkpoint, {.n_threads = -1, .isa = ""});
  REQUIRE_FALSE(negative.ok());
  CHECK(negative.error().code == qwen3guard::ErrorCode::invalid_argument);
  const auto isa = Model::load(**checkpoint, {.n_threads = 0, .isa = "sse9"});
  REQUIRE_FALSE(isa.ok());
  CHECK(isa.error().code == qwen3guard::ErrorCode::unsupported_isa);
  const auto missing = open_checkpoint(golden_folder("absent"));
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code == qwen3guard::ErrorCode::file_not_found);
}
