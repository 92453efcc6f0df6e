// SPDX-License-Identifier: Apache-2.0
// Each case breaks a sound checkpoint in one place and says how Model::load must refuse it.
#include <functional>
#include <stdexcept>

#include "malformed/checkpoint_builder.hpp"
#include "q3g_catch.hpp"
#include "qwen3guard/detail/model/model.hpp"

using namespace q3g_test;
using qwen3guard::ErrorCode;
using qwen3guard::detail::Model;

namespace {

struct Case {
  const char* name;
  Checkpoint (*base)();
  std::function<void(Checkpoint&)> break_it;
  ErrorCode code;
  std::vector<std::string> words;  ///< must occur in the detail
};

constexpr auto kBad = ErrorCode::bad_checkpoint;
constexpr auto kUnsupported = ErrorCode::unsupported_model;
const std::string kQ = "model.layers.0.self_attn.q_proj.weight";
const std::string kUp = "model.layers.0.mlp.up_proj.weight";
const std::string kFile = "memory/model.safetensors";

std::function<void(Checkpoint&)> config(const char* key, const char* value) {
  return [=](Checkpoint& c) { c.config[key] = value; };
}
std::function<void(Checkpoint&)> no_config(const char* key) {
  return [=](Checkpoint& c) { c.config.erase(key); };
}
std::function<void(Checkpoint&)> model_file(std::string bytes) {
  return [bytes = std::move(bytes)](Checkpoint& c) { c.raw["model.safetensors"] = bytes; };
}
std::function<void(Checkpoint&)> shape(const std::string& tensor, std::vector<std::uint64_t> sizes) {
  return [=](Checkpoint& c) {
    c.model.at(tensor).shape = sizes;
    c.model.lay_out();
  };
}
std::function<void(Checkpoint&)> dtype(const std::string& tensor, const char* name) {
  return [=](Checkpoint& c) {
    c.model.at(tensor).dtype = name;
    c.model.lay_out();
  };
}
std::function<void(Checkpoint&)> remove(const std::string& tensor) {
  return [=](Checkpoint& c) { c.model.remove(tensor); };
}
std::function<void(Checkpoint&)> replace_in_header(std::string from, std::string to) {
  return [=](Checkpoint& c) {
    std::string header = c.model.header();
    const std::size_t at = header.find(from);
    if (at == std::string::npos) throw std::logic_error("not in the header: " + from);
    header.replace(at, from.size(), to);
    c.raw["model.safetensors"] = FileSpec::with_length(header, header.size()) +
                                 std::string(static_cast<std::size_t>(c.model.n_data), '\x11');
  };
}
/// Two shards and their index; `change` edits index text and files afterwards.
std::function<void(Checkpoint&)> shards(std::function<void(Checkpoint&)> change) {
  return [change = std::move(change)](Checkpoint& c) {
    FileSpec a, b;
    std::string index;
    for (const TensorSpec& t : c.model.tensors) {
      const bool first = a.tensors.size() < 7;
      (first ? a : b).tensors.push_back(t);
      index += (index.empty() ? "" : ",") +
               ("\"" + t.name + "\":\"" + (first ? "a.safetensors" : "b.safetensors") + "\"");
    }
    a.lay_out();
    b.lay_out();
    c.raw["model.safetensors"] = Checkpoint::kAbsent;
    c.raw["a.safetensors"] = a.bytes();
    c.raw["b.safetensors"] = b.bytes();
    c.raw["model.safetensors.index.json"] = "{\"metadata\":{},\"weight_map\":{" + index + "}}";
    change(c);
  };
}
std::function<void(Checkpoint&)> index_text(std::string from, std::string to) {
  return shards([=](Checkpoint& c) {
    std::string& index = c.raw["model.safetensors.index.json"];
    const std::size_t at = index.find(from);
    if (at == std::string::npos) throw std::logic_error("not in the index: " + from);
    index.replace(at, from.size(), to);
  });
}

std::vector<Case> file_cases() {
  const auto base = causal_checkpoint;
  return {
      {"no config.json",
       base,
       [](Checkpoint& c) { c.raw["config.json"] = Checkpoint::kAbsent; },
       ErrorCode::file_not_found,
       {"memory/config.json"}},
      {"no weights",
       base,
       [](Checkpoint& c) { c.raw["model.safetensors"] = Checkpoint::kAbsent; },
       ErrorCode::file_not_found,
       {kFile, "model.safetensors.index.json"}},
      {"empty file", base, model_file(""), kBad, {kFile, "0 bytes"}},
      {"seven bytes", base, model_file("1234567"), kBad, {kFile, "7 bytes"}},
      {"zeros", base, model_file(std::string(4096, '\0')), kBad, {kFile, "not a safetensors file"}},
      {"a PyTorch zip",
       base,
       model_file("PK\x03\x04" + std::string(4096, 'x')),
       kBad,
       {kFile, "not a safetensors file"}},
      {"a header of 2^63 bytes",
       base,
       model_file(FileSpec::with_length("{}", std::uint64_t{1} << 63)),
       kBad,
       {kFile, "9223372036854775808"}},
      {"a header of 2^64 - 1 bytes",
       base,
       model_file(FileSpec::with_length("{}", ~std::uint64_t{0})),
       kBad,
       {kFile}},
      {"a header above the cap",
       base,
       model_file(FileSpec::with_length("{}", 100'000'001)),
       kBad,
       {kFile, "at most 100000000"}},
      {"a header longer than the file",
       base,
       model_file(FileSpec::with_length("{}", 3)),
       kBad,
       {kFile, "truncated"}},
      {"a header that is no JSON",
       base,
       model_file(FileSpec::with_length("{\"a\":", 5)),
       kBad,
       {kFile, "JSON"}},
      {"a header that is a list",
       base,
       model_file(FileSpec::with_length("[1, 2]", 6)),
       kBad,
       {kFile, "object"}},
      {"a header that is not UTF-8",
       base,
       model_file(FileSpec::with_length("{\"\xff\":1}", 7)),
       kBad,
       {kFile, "JSON"}},
      {"a header nested too deep",
       base,
       model_file(FileSpec::with_length("{\"a\":" + std::string(5000, '['), 5005)),
       kBad,
       {kFile, "JSON"}},
      {"an entry that is no object",
       base,
       replace_in_header("{\"lm_head", "{\"x\":3,\"lm_head"),
       kBad,
       {kFile, "\"x\""}},
      {"truncated data",
       base,
       [](Checkpoint& c) {
         c.raw["model.safetensors"] = c.model.bytes();
         c.raw["model.safetensors"].pop_back();
       },
       kBad,
       {kFile, "model.norm.weight", "truncated"}},
      {"trailing bytes",
       base,
       [](Checkpoint& c) { c.raw["model.safetensors"] = c.model.bytes() + "x"; },
       kBad,
       {kFile, "1 bytes follow"}},
      {"overlap",
       base,
       [](Checkpoint& c) {
         c.model.at(kQ).begin -= 2;
         c.model.at(kQ).end -= 2;
       },
       kBad,
       {kFile, "overlaps", kQ}},
      {"two tensors in one place",
       base,
       [](Checkpoint& c) {
         c.model.at(kUp).begin = c.model.at("model.layers.0.mlp.gate_proj.weight").begin;
         c.model.at(kUp).end = c.model.at("model.layers.0.mlp.gate_proj.weight").end;
       },
       kBad,
       {kFile, "overlaps", "gate_proj", "up_proj"}},
      {"a hole",
       base,
       [](Checkpoint& c) {
         c.model.at("model.norm.weight").begin += 2;
         c.model.at("model.norm.weight").end += 2;
         c.model.n_data += 2;
       },
       kBad,
       {kFile, "model.norm.weight", "hole"}},
      {"offsets swapped",
       base,
       [](Checkpoint& c) { std::swap(c.model.at(kQ).begin, c.model.at(kQ).end); },
       kBad,
       {kFile, kQ, "data_offsets"}},
      {"offsets far outside",
       base,
       [](Checkpoint& c) { c.model.at(kQ).end = ~std::uint64_t{0}; },
       kBad,
       {kFile, kQ, "outside"}},
      {"length is not shape times dtype",
       base,
       [](Checkpoint& c) {
         c.model.at(kQ).shape = {8, 7};
       },
       kBad,
       {kFile, kQ, "[8, 7]", "128", "112"}},
      {"shape product overflows",
       base,
       [](Checkpoint& c) {
         c.model.at(kQ).shape = {std::uint64_t{1} << 40, std::uint64_t{1} << 40};
       },
       kBad,
       {kFile, kQ, "too large"}},
      {"a negative size",
       base,
       replace_in_header("[10,8]", "[-10,8]"),
       kBad,
       {kFile, "lm_head.weight", "shape"}},
      {"a fractional size",
       base,
       replace_in_header("[10,8]", "[10.5,8]"),
       kBad,
       {kFile, "lm_head.weight", "shape"}},
      {"a size beyond 64 bits", base, replace_in_header("[10,8]", "[18446744073709551616,8]"), kBad, {kFile}},
      {"no shape",
       base,
       replace_in_header("\"shape\":[10,8],", ""),
       kBad,
       {kFile, "lm_head.weight", "shape"}},
      {"no dtype",
       base,
       replace_in_header("\"dtype\":\"BF16\",", ""),
       kBad,
       {kFile, "lm_head.weight", "dtype"}},
      {"dtype is a number",
       base,
       replace_in_header("\"BF16\"", "16"),
       kBad,
       {kFile, "lm_head.weight", "dtype"}},
      {"no offsets",
       base,
       replace_in_header(",\"data_offsets\":[0,160]", ""),
       kBad,
       {kFile, "lm_head.weight", "data_offsets"}},
      {"three offsets", base, replace_in_header("[0,160]", "[0,160,160]"), kBad, {kFile, "lm_head.weight"}},
      {"twenty dimensions",
       base,
       replace_in_header("[10,8]", "[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1]"),
       kBad,
       {kFile, "lm_head.weight", "16"}},
      {"a tensor twice",
       base,
       replace_in_header("\"lm_head.weight\"", "\"model.embed_tokens.weight\""),
       kBad,
       {kFile, "model.embed_tokens.weight", "twice"}},
      {"a tensor missing", base, remove(kQ), kBad, {kFile, kQ, "missing"}},
      {"a norm missing", base, remove("model.norm.weight"), kBad, {kFile, "model.norm.weight", "missing"}},
      {"untied without head", base, remove("lm_head.weight"), kBad, {kFile, "lm_head.weight", "missing"}},
      {"a second layer missing",
       base,
       config("num_hidden_layers", "2"),
       kBad,
       {kFile, "model.layers.1.input_layernorm.weight", "missing"}},
      {"rows too few", base, shape(kQ, {4, 8}), kBad, {kFile, kQ, "[4, 8]", "[8, 8]"}},
      {"transposed",
       base,
       shape("model.layers.0.mlp.down_proj.weight", {6, 8}),
       kBad,
       {kFile, "down_proj", "[6, 8]", "[8, 6]"}},
      {"one dimension more", base, shape(kQ, {1, 8, 8}), kBad, {kFile, kQ, "[1, 8, 8]"}},
      {"a scalar", base, shape("model.norm.weight", {}), kBad, {kFile, "model.norm.weight", "[]", "[8]"}},
      {"an empty tensor", base, shape(kUp, {0, 8}), kBad, {kFile, kUp, "[0, 8]"}},
      {"F64", base, dtype(kQ, "F64"), kBad, {kFile, kQ, "F64", "BF16, F16 or F32"}},
      {"I8", base, dtype(kUp, "I8"), kBad, {kFile, kUp, "I8", "BF16, F16 or F32"}},
      {"an unknown dtype",
       base,
       [](Checkpoint& c) { c.model.at(kUp).dtype = "Q4"; },
       kBad,
       {kFile, kUp, "Q4"}},
      {"embedding smaller than the vocabulary",
       base,
       config("vocab_size", "11"),
       kBad,
       {kFile, "model.embed_tokens.weight", "[10, 8]", "[11, 8]"}},
  };
}

std::vector<Case> shard_cases() {
  const auto base = causal_checkpoint;
  const std::string index = "memory/model.safetensors.index.json";
  return {
      {"a shard missing",
       base,
       shards([](Checkpoint& c) { c.raw["b.safetensors"] = Checkpoint::kAbsent; }),
       ErrorCode::file_not_found,
       {"memory/b.safetensors", index}},
      {"a shard empty",
       base,
       shards([](Checkpoint& c) { c.raw["b.safetensors"] = ""; }),
       kBad,
       {"memory/b.safetensors"}},
      {"a tensor in the index but not in its shard",
       base,
       index_text("\"lm_head.weight\":\"a.safetensors\"", "\"lm_head.weight\":\"b.safetensors\""),
       kBad,
       {"memory/b.safetensors", "lm_head.weight", "missing"}},
      {"a tensor in a shard but not in the index",
       base,
       index_text("\"lm_head.weight\":\"a.safetensors\",", ""),
       kBad,
       {index, "lm_head.weight", "missing"}},
      {"one tensor in two shards",
       base,
       shards([](Checkpoint& c) { c.raw["b.safetensors"] = c.raw["a.safetensors"]; }),
       kBad,
       {"memory/b.safetensors", "also in memory/a.safetensors"}},
      {"the index names a tensor twice",
       base,
       index_text("\"lm_head.weight\"", "\"model.norm.weight\""),
       kBad,
       {index, "model.norm.weight", "twice"}},
      {"the index is no JSON", base, index_text("{\"metadata\"", "{metadata"), kBad, {index, "JSON"}},
      {"the index has no weight_map", base, index_text("weight_map", "weights"), kBad, {index, "weight_map"}},
      {"weight_map is empty",
       base,
       shards([](Checkpoint& c) { c.raw["model.safetensors.index.json"] = "{\"weight_map\":{}}"; }),
       kBad,
       {index, "empty"}},
      {"weight_map is a list",
       base,
       shards([](Checkpoint& c) { c.raw["model.safetensors.index.json"] = "{\"weight_map\":[]}"; }),
       kBad,
       {index, "weight_map"}},
      {"the index is a list",
       base,
       shards([](Checkpoint& c) { c.raw["model.safetensors.index.json"] = "[]"; }),
       kBad,
       {index, "weight_map"}},
      {"a file name that is a number",
       base,
       index_text("\"lm_head.weight\":\"a.safetensors\"", "\"lm_head.weight\":1"),
       kBad,
       {index, "lm_head.weight"}},
      {"nothing in the index is what the model needs",
       base,
       shards([](Checkpoint& c) {
         c.raw["model.safetensors.index.json"] = "{\"weight_map\":{\"x\":\"a.safetensors\"}}";
       }),
       kBad,
       {index, "model.embed_tokens.weight", "missing"}},
  };
}

std::vector<Case> config_cases() {
  const auto gen = causal_checkpoint, guard = guard_checkpoint;
  const auto text = [](const char* bytes) {
    return [bytes](Checkpoint& c) { c.raw["config.json"] = bytes; };
  };
  const std::string file = "memory/config.json";
  std::vector<Case> cases = {
      {"config empty", gen, text(""), kBad, {file}},
      {"config cut", gen, text("{\"hidden_size\": 8"), kBad, {file, "JSON"}},
      {"config is a list", gen, text("[]"), kBad, {file, "object"}},
      {"no architecture", gen, no_config("architectures"), kBad, {file, "architectures", "missing"}},
      {"two architectures", gen, config("architectures", "[\"a\",\"b\"]"), kBad, {file, "architectures"}},
      {"another architecture",
       gen,
       config("architectures", "[\"LlamaForCausalLM\"]"),
       kUnsupported,
       {file, "LlamaForCausalLM", "Qwen3ForGuardModel"}},
      {"a text for a size", gen, config("hidden_size", "\"8\""), kBad, {file, "hidden_size", "\"8\""}},
      {"a fractional size", gen, config("hidden_size", "8.5"), kBad, {file, "hidden_size", "8.5"}},
      {"zero layers", gen, config("num_hidden_layers", "0"), kBad, {file, "num_hidden_layers", "0"}},
      {"negative layers", gen, config("num_hidden_layers", "-1"), kBad, {file, "num_hidden_layers", "-1"}},
      {"absurdly many layers",
       gen,
       config("num_hidden_layers", "2147483647"),
       kBad,
       {file, "num_hidden_layers"}},
      {"absurdly many columns", gen, config("hidden_size", "1000000000000"), kBad, {file, "hidden_size"}},
      {"a size beyond 64 bits", gen, config("vocab_size", "99999999999999999999"), kBad, {file}},
      {"kv heads do not divide",
       gen,
       config("num_key_value_heads", "3"),
       kBad,
       {file, "num_key_value_heads", "3", "2"}},
      {"odd head_dim", gen, config("head_dim", "5"), kBad, {file, "head_dim", "5"}},
      {"heads times head_dim too large",
       gen,
       [](Checkpoint& c) {
         c.config["num_attention_heads"] = "4096";
         c.config["head_dim"] = "1024";
       },
       kBad,
       {file, "num_attention_heads"}},
      {"eps negative", gen, config("rms_norm_eps", "-1e-6"), kBad, {file, "rms_norm_eps"}},
      {"no rope_theta", gen, no_config("rope_theta"), kBad, {file, "rope_theta", "missing"}},
      {"rope_theta zero", gen, config("rope_theta", "0"), kBad, {file, "rope_theta"}},
      {"two different rope_theta",
       gen,
       config("rope_parameters", "{\"rope_theta\": 1000000.0}"),
       kBad,
       {file, "rope_theta"}},
      {"yarn",
       gen,
       config("rope_scaling", "{\"rope_type\":\"yarn\",\"factor\":4.0}"),
       kUnsupported,
       {file, "rope_scaling", "yarn"}},
      {"linear scaling, old key",
       gen,
       config("rope_scaling", "{\"type\":\"linear\",\"factor\":2.0}"),
       kUnsupported,
       {file, "rope_scaling", "linear"}},
      {"scaling in rope_parameters",
       gen,
       config("rope_parameters", "{\"rope_type\":\"llama3\"}"),
       kUnsupported,
       {file, "rope_parameters", "llama3"}},
      {"rope_scaling is a number", gen, config("rope_scaling", "2"), kBad, {file, "rope_scaling", "object"}},
      {"gelu", gen, config("hidden_act", "\"gelu\""), kUnsupported, {file, "hidden_act", "gelu"}},
      {"attention bias", gen, config("attention_bias", "true"), kUnsupported, {file, "attention_bias"}},
      {"attention bias as text", gen, config("attention_bias", "\"yes\""), kBad, {file, "attention_bias"}},
      {"sliding window",
       gen,
       config("use_sliding_window", "true"),
       kUnsupported,
       {file, "use_sliding_window"}},
      {"a sliding layer",
       gen,
       config("layer_types", "[\"sliding_attention\"]"),
       kUnsupported,
       {file, "sliding_attention"}},
      {"quantised",
       gen,
       config("quantization_config", "{\"bits\":4}"),
       kUnsupported,
       {file, "quantization_config"}},
      {"eos is text", gen, config("eos_token_id", "\"x\""), kBad, {file, "eos_token_id"}},
      {"generation_config cut",
       gen,
       [](Checkpoint& c) { c.raw["generation_config.json"] = "{"; },
       kBad,
       {"memory/generation_config.json"}},
      {"no guard_inner_size",
       guard,
       no_config("guard_inner_size"),
       kBad,
       {file, "guard_inner_size", "missing"}},
      {"no risk map",
       guard,
       no_config("query_risk_level_map"),
       kBad,
       {file, "query_risk_level_map", "missing"}},
      {"risk map is a list",
       guard,
       config("response_risk_level_map", "[\"Safe\"]"),
       kBad,
       {file, "response_risk_level_map"}},
      {"severity missing",
       guard,
       [](Checkpoint& c) {
         c.config["response_risk_level_map"] = label_map({"Safe", "Unsafe"});
         c.config.erase("num_risk_level");
       },
       kBad,
       {file, "response_risk_level_map", "2"}},
      {"severity twice",
       guard,
       config("response_risk_level_map", "{\"0\":\"Safe\",\"1\":\"Safe\",\"2\":\"Unsafe\"}"),
       kBad,
       {file, "response_risk_level_map", "Safe", "twice"}},
      {"index twice",
       guard,
       config("response_risk_level_map", "{\"0\":\"Safe\",\"0\":\"Unsafe\",\"2\":\"Controversial\"}"),
       kBad,
       {file, "response_risk_level_map", "twice"}},
      {"a gap in the indices",
       guard,
       config("response_risk_level_map", "{\"0\":\"Safe\",\"1\":\"Unsafe\",\"3\":\"Controversial\"}"),
       kBad,
       {file, "response_risk_level_map", "\"3\""}},
      {"an index that is no number",
       guard,
       config("response_risk_level_map", "{\"a\":\"Safe\",\"1\":\"Unsafe\",\"2\":\"Controversial\"}"),
       kBad,
       {file, "response_risk_level_map", "\"a\""}},
      {"a label that is no text",
       guard,
       config("response_risk_level_map", "{\"0\":1,\"1\":\"Unsafe\",\"2\":\"Controversial\"}"),
       kBad,
       {file, "response_risk_level_map"}},
      {"an unknown severity",
       guard,
       config("response_risk_level_map", "{\"0\":\"Fine\",\"1\":\"Unsafe\",\"2\":\"Controversial\"}"),
       kUnsupported,
       {file, "response_risk_level_map", "Fine"}},
      {"an unknown category",
       guard,
       [](Checkpoint& c) {
         c.config["response_category_map"] = label_map({"Gardening"});
         c.config.erase("num_category");
       },
       kUnsupported,
       {file, "response_category_map", "Gardening"}},
      {"a count that disagrees",
       guard,
       config("num_category", "7"),
       kBad,
       {file, "response_category_map", "num_category", "7"}},
      {"a head missing",
       guard,
       remove("query_category_head.weight"),
       kBad,
       {kFile, "query_category_head.weight", "missing"}},
      {"a head of the wrong height",
       guard,
       shape("category_head.weight", {9, 5}),
       kBad,
       {kFile, "category_head.weight", "[9, 5]", "[8, 5]"}},
      {"a head of the wrong width",
       guard,
       config("guard_inner_size", "6"),
       kBad,
       {kFile, "risk_level_category_pre.weight", "[5, 8]", "[6, 8]"}},
  };
  for (const char* key : {"hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size",
                          "vocab_size", "max_position_embeddings", "rms_norm_eps"})
    cases.push_back({key, gen, no_config(key), kBad, {file, key, "missing"}});
  return cases;
}

void check(const std::vector<Case>& cases) {
  for (const Case& item : cases) {
    Checkpoint checkpoint = item.base();
    item.break_it(checkpoint);
    const auto contents = checkpoint.contents();
    const auto model = Model::load(files_of(contents), {});
    INFO(item.name);
    REQUIRE_FALSE(model.ok());
    INFO(model.error().detail);
    CHECK(std::string(to_string(model.error().code)) == to_string(item.code));
    for (const std::string& word : item.words) {
      INFO("expected: " << word);
      CHECK(model.error().detail.find(word) != std::string::npos);
    }
  }
}

}  // namespace

TEST_CASE("malformed: the unbroken checkpoints load", "[model][malformed]") {
  for (const Checkpoint& checkpoint : {causal_checkpoint(), guard_checkpoint()}) {
    const auto contents = checkpoint.contents();
    const auto model = Model::load(files_of(contents), {});
    INFO((model.ok() ? "" : model.error().detail));
    CHECK(model.ok());
  }
  Checkpoint sharded = causal_checkpoint();
  shards([](Checkpoint&) {})(sharded);
  const auto contents = sharded.contents();
  CHECK(Model::load(files_of(contents), {}).ok());
}

TEST_CASE("malformed: safetensors files", "[model][malformed]") { check(file_cases()); }
TEST_CASE("malformed: shards and their index", "[model][malformed]") { check(shard_cases()); }
TEST_CASE("malformed: config.json", "[model][malformed]") { check(config_cases()); }

TEST_CASE("malformed: an index cannot point outside the folder", "[model][malformed]") {
  // MemoryFiles has no folders, so this goes through real files: the golden checkpoint beside the hostile
  // index.
  class Hostile final : public qwen3guard::detail::ModelFiles {
   public:
    explicit Hostile(const std::map<std::string, std::string>& contents) : files_(files_of(contents)) {}
    bool contains(std::string_view name) const override { return files_.contains(name); }
    qwen3guard::Result<qwen3guard::detail::Blob> open(std::string_view name) const override {
      if (name.find('/') != std::string_view::npos) return directory_.open(name);
      return files_.open(name);
    }
    std::string display_name(std::string_view name) const override { return files_.display_name(name); }

   private:
    qwen3guard::detail::MemoryFiles files_;
    qwen3guard::detail::DirectoryFiles directory_{Q3G_TEST_DIR "/golden/models/gen_mha_f32"};
  };
  Checkpoint checkpoint = causal_checkpoint();
  index_text("a.safetensors", "../gen_gqa2_bf16/model.safetensors")(checkpoint);
  const auto contents = checkpoint.contents();
  const auto model = Model::load(Hostile(contents), {});
  REQUIRE_FALSE(model.ok());
  CHECK(model.error().code == ErrorCode::bad_checkpoint);
  CHECK(model.error().detail.find("../gen_gqa2_bf16/model.safetensors") != std::string::npos);
}
