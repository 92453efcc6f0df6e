// SPDX-License-Identifier: Apache-2.0
#include "model/checkpoint/config_json.hpp"

#include <algorithm>
#include <limits>
#include <optional>

#include "model/checkpoint/config_reader.hpp"
#include "model/checkpoint/label_maps.hpp"
#include "qwen3guard/quote.hpp"
#include "util/try.hpp"

namespace qwen3guard::detail {
namespace {

constexpr const char* kConfigFile = "config.json";
constexpr const char* kGenerationFile = "generation_config.json";

Status read_architecture(const ConfigReader& config, ModelConfig& out) {
  const auto value = config.find("architectures");
  if (!value) return config.error("architectures", "is missing");
  simdjson::dom::array names;
  std::string_view name;
  if (value->get(names) != simdjson::SUCCESS || names.size() != 1 ||
      names.at(0).get(name) != simdjson::SUCCESS)
    return config.error("architectures", "is ", json_text(*value), ", expected a list of one name");
  out.architecture_name = name;
  if (name == "Qwen3ForCausalLM") {
    out.architecture = Architecture::causal_lm;
  } else if (name == "Qwen3ForGuardModel") {
    out.architecture = Architecture::guard;
  } else {
    return config.unsupported("architectures", "is ", json_text(*value),
                              "; Qwen3ForCausalLM and Qwen3ForGuardModel are supported");
  }
  return {};
}

Status read_sizes(const ConfigReader& config, ModelConfig& out) {
  Q3G_ASSIGN(out.hidden_size, config.size("hidden_size", ModelConfig::kMaxWidth));
  Q3G_ASSIGN(out.n_layers, config.size("num_hidden_layers", ModelConfig::kMaxLayers));
  Q3G_ASSIGN(out.n_heads, config.size("num_attention_heads", ModelConfig::kMaxHeads));
  Q3G_ASSIGN(const auto n_kv_heads, config.optional_size("num_key_value_heads", ModelConfig::kMaxHeads));
  out.n_kv_heads = n_kv_heads.value_or(out.n_heads);
  if (out.n_heads % out.n_kv_heads != 0) {
    return config.error("num_key_value_heads", "is ", out.n_kv_heads, ", which does not divide the ",
                        out.n_heads, " of \"num_attention_heads\"");
  }
  Q3G_ASSIGN(const auto head_dim, config.optional_size("head_dim", ModelConfig::kMaxHeadDim));
  if (!head_dim && out.hidden_size % out.n_heads != 0)
    return config.error("head_dim", "is missing, and num_attention_heads does not divide hidden_size");
  out.head_dim = head_dim.value_or(out.hidden_size / out.n_heads);
  if (out.head_dim % 2 != 0 || out.head_dim > ModelConfig::kMaxHeadDim) {
    return config.error("head_dim", "is ", out.head_dim, ", expected an even number of at most ",
                        ModelConfig::kMaxHeadDim);
  }
  if (out.n_heads > ModelConfig::kMaxWidth / out.head_dim)
    return config.error("num_attention_heads", "times head_dim is above ", ModelConfig::kMaxWidth);
  Q3G_ASSIGN(out.intermediate_size, config.size("intermediate_size", ModelConfig::kMaxWidth));
  Q3G_ASSIGN(const std::size_t vocab_size, config.size("vocab_size", ModelConfig::kMaxVocab));
  out.vocab_size = static_cast<std::int32_t>(vocab_size);
  Q3G_ASSIGN(const std::size_t n_positions,
             config.size("max_position_embeddings", ModelConfig::kMaxPositions));
  out.max_position_embeddings = static_cast<std::int32_t>(n_positions);
  Q3G_ASSIGN(const double eps, config.number("rms_norm_eps", 0.0, 1.0));
  out.rms_norm_eps = static_cast<float>(eps);
  Q3G_ASSIGN(out.tie_word_embeddings, config.boolean("tie_word_embeddings", false));
  return {};
}

/// "rope_theta" stands at the top level or, in newer files, inside "rope_parameters" (older: "rope_scaling").
Status read_rope(const ConfigReader& config, ModelConfig& out) {
  constexpr double kMaxTheta = 1e15;
  bool has_inner_theta = false;
  for (const char* key : {"rope_scaling", "rope_parameters"}) {
    Q3G_ASSIGN(const auto object, config.object(key));
    if (!object) continue;
    const ConfigReader rope(config.file(), *object);
    for (const char* type_key : {"rope_type", "type"}) {
      Q3G_ASSIGN(const auto type, rope.string(type_key));
      if (type && *type != "default")
        return config.unsupported(key, "asks for the rotary scaling ", quote(*type),
                                  "; only \"default\" is supported");
    }
    const auto factor = rope.find("factor");
    double number = 0;
    if (factor && (factor->get(number) != simdjson::SUCCESS || number != 1.0))
      return config.unsupported(key, "asks for the scaling factor ", json_text(*factor));
    const auto partial = rope.find("partial_rotary_factor");
    if (partial && (partial->get(number) != simdjson::SUCCESS || number != 1.0))
      return config.unsupported(key, "asks for the partial rotary factor ", json_text(*partial));
    if (rope.find("rope_theta")) {
      Q3G_ASSIGN(out.rope_theta, rope.number("rope_theta", 1.0, kMaxTheta));
      has_inner_theta = true;
    }
  }
  if (has_inner_theta && !config.find("rope_theta")) return {};
  const double inner_theta = out.rope_theta;
  Q3G_ASSIGN(out.rope_theta, config.number("rope_theta", 1.0, kMaxTheta));
  if (has_inner_theta && inner_theta != out.rope_theta)
    return config.error("rope_theta", "has one value at the top level and another one inside");
  return {};
}

Status check_unsupported(const ConfigReader& config) {
  Q3G_ASSIGN(const auto activation, config.string("hidden_act"));
  if (activation && *activation != "silu")
    return config.unsupported("hidden_act", "is ", quote(*activation), "; only \"silu\" is supported");
  for (const char* key : {"attention_bias", "mlp_bias", "use_sliding_window"}) {
    Q3G_ASSIGN(const bool flag, config.boolean(key, false));
    if (flag) return config.unsupported(key, "is true, which is not supported");
  }
  if (config.find("quantization_config"))
    return config.unsupported("quantization_config", "is there; quantised checkpoints are not supported");
  if (const auto layer_types = config.find("layer_types")) {
    simdjson::dom::array types;
    if (layer_types->get(types) != simdjson::SUCCESS)
      return config.error("layer_types", "is ", json_text(*layer_types), ", expected a list");
    for (const simdjson::dom::element type : types) {
      std::string_view name;
      if (type.get(name) != simdjson::SUCCESS || name != "full_attention")
        return config.unsupported("layer_types", "has ", json_text(type),
                                  "; only \"full_attention\" is supported");
    }
  }
  return {};
}

/// Appends the ids under "eos_token_id": an integer or a list. Ids outside the vocabulary can never be
/// produced and are left out.
Status read_eos(const ConfigReader& config, ModelConfig& out) {
  const auto value = config.find("eos_token_id");
  if (!value) return {};
  const auto append = [&](simdjson::dom::element element) {
    std::int64_t id = 0;
    if (element.get(id) != simdjson::SUCCESS) return false;
    auto& ids = out.eos_token_ids;
    if (id < 0 || id >= out.vocab_size) return true;
    if (std::find(ids.begin(), ids.end(), id) == ids.end()) ids.push_back(static_cast<std::int32_t>(id));
    return true;
  };
  bool sound = true;
  simdjson::dom::array list;
  if (value->get(list) == simdjson::SUCCESS) {
    for (const simdjson::dom::element element : list) sound = append(element) && sound;
  } else {
    sound = append(*value);
  }
  if (!sound)
    return config.error("eos_token_id", "is ", json_text(*value),
                        ", expected an integer or a list of integers");
  return {};
}

Result<JsonFile> parse_object(const ModelFiles& files, const char* name, simdjson::dom::object& object) {
  Q3G_ASSIGN(const Blob blob, files.open(name));
  Q3G_ASSIGN(JsonFile json, JsonFile::parse(blob.text(), files.display_name(name), ErrorCode::bad_checkpoint,
                                            kMaxConfigBytes));
  if (json.root().get(object) != simdjson::SUCCESS) return json.error("expected a JSON object");
  return json;
}

}  // namespace

Result<ModelConfig> read_config(const ModelFiles& files) {
  ModelConfig out;
  simdjson::dom::object object;
  Q3G_ASSIGN(const JsonFile json, parse_object(files, kConfigFile, object));
  // Moving a JsonFile keeps its document where it is, so `object` stays valid.
  const ConfigReader config(json, object);
  Q3G_TRY(read_architecture(config, out));
  Q3G_TRY(check_unsupported(config));
  Q3G_TRY(read_sizes(config, out));
  Q3G_TRY(read_rope(config, out));
  if (out.architecture == Architecture::guard) {
    Q3G_ASSIGN(out.guard_inner_size, config.size("guard_inner_size", ModelConfig::kMaxWidth));
    Q3G_ASSIGN(out.response_labels, read_labels(config, kResponseKeys));
    Q3G_ASSIGN(out.query_labels, read_labels(config, kQueryKeys));
  }
  Q3G_TRY(read_eos(config, out));
  if (files.contains(kGenerationFile)) {
    simdjson::dom::object generation;
    Q3G_ASSIGN(const JsonFile generation_json, parse_object(files, kGenerationFile, generation));
    Q3G_TRY(read_eos(ConfigReader(generation_json, generation), out));
  }
  return out;
}

}  // namespace qwen3guard::detail
