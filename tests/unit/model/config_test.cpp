// SPDX-License-Identifier: Apache-2.0
// Sound checkpoints in the forms that occur; what is refused is in tests/malformed.
#include "malformed/checkpoint_builder.hpp"
#include "model/checkpoint/config_json.hpp"
#include "q3g_catch.hpp"

using namespace q3g_test;
using namespace qwen3guard::detail;
using qwen3guard::Category;
using qwen3guard::Severity;

namespace {

ModelConfig load(const CheckpointSpec& checkpoint) {
  const auto contents = checkpoint.contents();
  auto config = read_config(files_of(contents));
  INFO((config.ok() ? "" : config.error().detail));
  REQUIRE(config.ok());
  return *config;
}

}  // namespace

TEST_CASE("config: a causal checkpoint", "[model][config]") {
  const ModelConfig config = load(causal_checkpoint());
  CHECK(config.architecture == Architecture::causal_lm);
  CHECK(config.architecture_name == "Qwen3ForCausalLM");
  CHECK(config.hidden_size == 8);
  CHECK(config.n_layers == 1);
  CHECK(config.n_heads == 2);
  CHECK(config.n_kv_heads == 1);
  CHECK(config.head_dim == 4);
  CHECK(config.intermediate_size == 6);
  CHECK(config.vocab_size == 10);
  CHECK(config.max_position_embeddings == 64);
  CHECK(config.rope_theta == 10000.0);
  CHECK(config.rms_norm_eps == 1e-6F);
  CHECK_FALSE(config.tie_word_embeddings);
  CHECK(config.eos_token_ids == std::vector<std::int32_t>{2, 3});
}

TEST_CASE("config: what may be absent", "[model][config]") {
  CheckpointSpec c = causal_checkpoint();
  for (const char* key : {"head_dim", "num_key_value_heads", "tie_word_embeddings", "rope_scaling",
                          "hidden_act", "attention_bias", "eos_token_id"})
    c.config.erase(key);
  const ModelConfig config = load(c);
  CHECK(config.head_dim == 4);
  CHECK(config.n_kv_heads == 2);
  CHECK_FALSE(config.tie_word_embeddings);
  CHECK(config.eos_token_ids.empty());
}

TEST_CASE("config: where rope_theta may stand", "[model][config]") {
  CheckpointSpec c = causal_checkpoint();
  c.config["rope_theta"] = "1000000";
  c.config["rope_scaling"] = "{\"rope_type\":\"default\"}";
  CHECK(load(c).rope_theta == 1e6);
  c.config["rope_parameters"] = "{\"rope_theta\":1000000.0,\"rope_type\":\"default\"}";
  CHECK(load(c).rope_theta == 1e6);
  c.config.erase("rope_theta");
  c.config.erase("rope_scaling");
  CHECK(load(c).rope_theta == 1e6);
}

TEST_CASE("config: ids that end a text, from both files, each once", "[model][config]") {
  CheckpointSpec c = causal_checkpoint();
  c.config["eos_token_id"] = "7";
  CHECK(load(c).eos_token_ids == std::vector<std::int32_t>{7});
  c.raw["generation_config.json"] = "{\"eos_token_id\": [7, 5, 10, 151645]}";
  CHECK(load(c).eos_token_ids == std::vector<std::int32_t>{7, 5});
  c.raw["generation_config.json"] = "{\"eos_token_id\": null}";
  CHECK(load(c).eos_token_ids == std::vector<std::int32_t>{7});
}

TEST_CASE("config: label maps", "[model][config][labels]") {
  CheckpointSpec c = guard_checkpoint();
  ModelConfig config = load(c);
  CHECK(config.architecture == Architecture::guard);
  CHECK(config.guard_inner_size == 5);
  CHECK(config.labels(HeadRole::response).risk ==
        std::vector<Severity>{Severity::safe, Severity::unsafe, Severity::controversial});
  CHECK(config.labels(HeadRole::response).category.size() == 8);
  CHECK(config.labels(HeadRole::query).category.back() == Category::jailbreak);
  CHECK(config.labels(HeadRole::query).category[4] == Category::pii);

  // Another order, shuffled keys, stray quotes, the long name, no counts.
  for (const char* key : {"num_risk_level", "num_category", "num_query_risk_level", "num_query_category"})
    c.config.erase(key);
  c.config["response_risk_level_map"] =
      "{\"2\":\"'Safe'\",\"0\":\" Unsafe\",\"1\":\"\\\"Controversial\\\"\"}";
  c.config["response_category_map"] = "{\"1\":\"Personally Identifiable Information\",\"'0'\":\"Violent\"}";
  config = load(c);
  CHECK(config.response_labels.risk ==
        std::vector<Severity>{Severity::unsafe, Severity::controversial, Severity::safe});
  CHECK(config.response_labels.category == std::vector<Category>{Category::violent, Category::pii});
}
