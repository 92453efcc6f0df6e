// SPDX-License-Identifier: Apache-2.0
// Models of packed weights and how their caches keep keys and values.
#include <cmath>
#include <cstring>
#include <random>

#include "golden_models.hpp"
#include "kernels/isa.hpp"
#include "malformed/checkpoint_builder.hpp"
#include "model/write_packed.hpp"
#include "temporary_folder.hpp"

using namespace q3g_test;
using qwen3guard::PackedWeights;

namespace {

std::shared_ptr<const Model> load_packed(const Checkpoint& checkpoint, PackedWeights type,
                                         const std::string& isa = "") {
  const TemporaryFolder folder;
  WriteOptions options;
  options.info = {type, weight_type(type).default_group};
  REQUIRE(write_packed(checkpoint, folder / "m.q3g", options).ok());
  return Model::load(*open_checkpoint(folder / "m.q3g").value(), {.n_threads = 2, .isa = isa}).value();
}

Logits run_with(const Model& model, std::span<const TokenId> ids, KvType type) {
  KvCache cache(model.config(), ids.size(), type);
  return run_pieces(model, ids, {ids.size() - 3, 1, 2}, cache);
}

/// `spec` with every value of the BF16 tensor `name` replaced.
std::map<std::string, std::string> contents_with(const CheckpointSpec& spec,
                                                 const std::map<std::string, std::uint16_t>& tensors) {
  auto contents = spec.contents();
  std::string& file = contents.at("model.safetensors");
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, file.data(), 8);
  for (const TensorSpec& tensor : spec.model.tensors) {
    const auto found = tensors.find(tensor.name);
    if (found == tensors.end()) continue;
    for (std::uint64_t at = tensor.begin; at < tensor.end; at += 2)
      std::memcpy(file.data() + 8 + header_bytes + at, &found->second, 2);
  }
  return contents;
}

bool any_finite(const Logits& logits) {
  for (const auto& [head, rows] : logits)
    for (const auto& row : rows)
      for (const float value : row)
        if (std::isfinite(value)) return true;
  return false;
}

}  // namespace

TEST_CASE("kv: every type of weights has its type of keys and values", "[model][kv]") {
  const auto checkpoint = open_checkpoint(golden_folder("gen_gqa4_f16")).value();
  CHECK(load_golden("gen_gqa4_f16")->kv_type() == KvType::f32);
  for (const WeightType& type : kWeightTypes) {
    const auto model = load_packed(*checkpoint, type.id);
    INFO(type.name);
    CHECK(model->kv_type() == (type.id == PackedWeights::fp16 ? KvType::f16 : KvType::bf16));
    CHECK(model->new_cache(10).layout().type == model->kv_type());
  }
}

TEST_CASE("kv: an F16 checkpoint packed as fp16 differs by the rounding of keys and values", "[model][kv]") {
  constexpr std::uint64_t kSeed = 9;
  INFO("seed " << kSeed);
  std::mt19937_64 random(kSeed);
  for (const char* name : {"gen_gqa4_f16", "stream_mha_sharded_f16"}) {
    const auto plain = load_golden(name);
    std::vector<TokenId> ids(200);
    for (TokenId& id : ids)
      id = static_cast<TokenId>(random() % static_cast<std::uint64_t>(plain->config().vocab_size));
    const Logits exact = run_whole(*plain, ids);
    const auto checkpoint = open_checkpoint(golden_folder(name)).value();
    for (const std::string& isa : available_isas()) {
      const auto packed = load_packed(*checkpoint, PackedWeights::fp16, isa);
      const double f32 = worst_difference(run_with(*packed, ids, KvType::f32), exact);
      const double f16 = worst_difference(run_with(*packed, ids, KvType::f16), exact);
      const double bf16 = worst_difference(run_with(*packed, ids, KvType::bf16), exact);
      INFO(name << " " << isa << ": kv fp32 " << f32 << ", fp16 " << f16 << ", bf16 " << bf16);
      // The weights are exact, and activations are not rounded.
      CHECK(f32 < kTolerance);
      // Both round keys and values, and bfloat16 rounds 8 times as coarsely and the queries too.
      CHECK(f16 < 0x1p-9);
      CHECK(f16 < bf16);
      CHECK(bf16 < 0x1p-5);
    }
  }
}

TEST_CASE("kv: keys and values that float16 cannot hold give no finite logit", "[model][kv]") {
  const CheckpointSpec spec = causal_checkpoint();
  const std::string p = "model.layers.0.";
  const std::vector<TokenId> ids = {1, 4, 7, 5};
  // bfloat16: 0x3f80 is 1, 0x4700 32768 (eight of them times 1 are too much), 0x4788 69632.
  for (const auto& large : {std::map<std::string, std::uint16_t>{{p + "input_layernorm.weight", 0x3f80},
                                                                 {p + "self_attn.v_proj.weight", 0x4700}},
                            std::map<std::string, std::uint16_t>{{p + "self_attn.k_norm.weight", 0x4788}}}) {
    const auto contents = contents_with(spec, large);
    const auto folder = open_folder_of(contents).value();
    for (const std::string& isa : available_isas()) {
      INFO(isa << " " << large.begin()->first);
      for (const WeightType& type : kWeightTypes) {
        const auto model = load_packed(*folder, type.id, isa);
        CHECK(any_finite(run_with(*model, ids, model->kv_type())) == (type.id != PackedWeights::fp16));
      }
    }
  }
}
