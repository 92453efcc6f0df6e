// SPDX-License-Identifier: Apache-2.0
#ifndef QWEN3GUARD_TESTS_MALFORMED_CHECKPOINT_BUILDER_HPP
#define QWEN3GUARD_TESTS_MALFORMED_CHECKPOINT_BUILDER_HPP

#include <cstdint>
#include <cstring>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include "model/checkpoint/safetensors_checkpoint.hpp"
#include "model/model.hpp"
#include "util/model_files.hpp"

/// A sound tiny checkpoint, to be broken in one place and then written out.
namespace q3g_test {

struct TensorSpec {
  std::string name, dtype;
  std::vector<std::uint64_t> shape;
  std::uint64_t begin = 0, end = 0;

  [[nodiscard]] std::uint64_t n_bytes() const {
    const std::uint64_t width = dtype == "F64" || dtype == "I64" ? 8
                                : dtype == "F32"                 ? 4
                                : dtype == "I8"                  ? 1
                                                                 : 2;
    return std::accumulate(shape.begin(), shape.end(), width, std::multiplies<>());
  }
};

/// One safetensors file.
struct FileSpec {
  std::vector<TensorSpec> tensors;
  std::string extra_header;  ///< JSON members put before the tensors, e.g. "\"__metadata__\":{},"
  std::uint64_t n_data = 0;

  TensorSpec& at(const std::string& name) {
    for (TensorSpec& tensor : tensors) {
      if (tensor.name == name) return tensor;
    }
    throw std::out_of_range(name);
  }
  void remove(const std::string& name) {
    std::erase_if(tensors, [&](const TensorSpec& t) { return t.name == name; });
    lay_out();
  }
  /// Gives every tensor its place, one after the other.
  void lay_out() {
    n_data = 0;
    for (TensorSpec& tensor : tensors) {
      tensor.begin = n_data;
      tensor.end = n_data += tensor.n_bytes();
    }
  }
  [[nodiscard]] std::string header() const {
    std::string json = "{" + extra_header;
    for (const TensorSpec& t : tensors) {
      std::string shape;
      for (const std::uint64_t size : t.shape) shape += (shape.empty() ? "" : ",") + std::to_string(size);
      json += (&t == tensors.data() ? "\"" : ",\"") + t.name + "\":{\"dtype\":\"" + t.dtype +
              "\",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(t.begin) + "," +
              std::to_string(t.end) + "]}";
    }
    return json + "}";
  }
  [[nodiscard]] static std::string with_length(const std::string& header, std::uint64_t n) {
    std::string out(8, '\0');
    for (std::size_t i = 0; i < 8; ++i) out[i] = static_cast<char>((n >> (8 * i)) & 0xff);
    return out + header;
  }
  [[nodiscard]] std::string bytes() const {
    const std::string text = header();
    return with_length(text, text.size()) + std::string(static_cast<std::size_t>(n_data), '\x3d');
  }
};

/// config.json as key -> JSON text.
using ConfigSpec = std::map<std::string, std::string>;

/// A checkpoint: the parts stay editable until files() writes them out. `raw` replaces or adds whole files; a
/// file whose raw text is kAbsent is left out.
struct CheckpointSpec {
  static constexpr const char* kAbsent = "\x01 absent";
  ConfigSpec config;
  FileSpec model;
  std::map<std::string, std::string> raw;

  [[nodiscard]] std::map<std::string, std::string> contents() const {
    std::string text;
    for (const auto& [key, value] : config) text += (text.empty() ? "{\"" : ",\"") + key + "\":" + value;
    std::map<std::string, std::string> out = {{"config.json", text + "}"},
                                              {"model.safetensors", model.bytes()}};
    for (const auto& [name, bytes] : raw) {
      if (bytes == kAbsent) {
        out.erase(name);
      } else {
        out[name] = bytes;
      }
    }
    return out;
  }
};

inline std::string label_map(const std::vector<std::string>& labels) {
  std::string json;
  for (std::size_t i = 0; i < labels.size(); ++i)
    json += (i == 0 ? "{\"" : ",\"") + std::to_string(i) + "\":\"" + labels[i] + "\"";
  return json + "}";
}

/// hidden 8, 1 layer, 2 heads, 1 kv head, head_dim 4, MLP 6, vocabulary 10; untied BF16.
inline CheckpointSpec causal_checkpoint() {
  CheckpointSpec c;
  c.config = {{"architectures", "[\"Qwen3ForCausalLM\"]"},
              {"hidden_size", "8"},
              {"num_hidden_layers", "1"},
              {"num_attention_heads", "2"},
              {"num_key_value_heads", "1"},
              {"head_dim", "4"},
              {"intermediate_size", "6"},
              {"vocab_size", "10"},
              {"max_position_embeddings", "64"},
              {"rms_norm_eps", "1e-6"},
              {"rope_theta", "10000.0"},
              {"rope_scaling", "null"},
              {"hidden_act", "\"silu\""},
              {"attention_bias", "false"},
              {"tie_word_embeddings", "false"},
              {"eos_token_id", "[2, 3]"}};
  const std::string p = "model.layers.0.";
  for (const auto& [name, shape] : std::vector<std::pair<std::string, std::vector<std::uint64_t>>>{
           {"lm_head.weight", {10, 8}},
           {"model.embed_tokens.weight", {10, 8}},
           {p + "input_layernorm.weight", {8}},
           {p + "mlp.down_proj.weight", {8, 6}},
           {p + "mlp.gate_proj.weight", {6, 8}},
           {p + "mlp.up_proj.weight", {6, 8}},
           {p + "post_attention_layernorm.weight", {8}},
           {p + "self_attn.k_norm.weight", {4}},
           {p + "self_attn.k_proj.weight", {4, 8}},
           {p + "self_attn.o_proj.weight", {8, 8}},
           {p + "self_attn.q_norm.weight", {4}},
           {p + "self_attn.q_proj.weight", {8, 8}},
           {p + "self_attn.v_proj.weight", {4, 8}},
           {"model.norm.weight", {8}}})
    c.model.tensors.push_back({.name = name, .dtype = "BF16", .shape = shape});
  c.model.lay_out();
  return c;
}

inline CheckpointSpec guard_checkpoint() {
  CheckpointSpec c = causal_checkpoint();
  const std::vector<std::string> risk = {"Safe", "Unsafe", "Controversial"};
  std::vector<std::string> category = {
      "Violent", "Sexual Content or Sexual Acts", "Suicide & Self-Harm",      "Politically Sensitive Topics",
      "PII",     "Copyright Violation",           "Non-violent Illegal Acts", "Unethical Acts"};
  c.config["architectures"] = "[\"Qwen3ForGuardModel\"]";
  c.config["guard_inner_size"] = "5";
  c.config["num_risk_level"] = c.config["num_query_risk_level"] = "3";
  c.config["num_category"] = "8";
  c.config["num_query_category"] = "9";
  c.config["response_risk_level_map"] = c.config["query_risk_level_map"] = label_map(risk);
  c.config["response_category_map"] = label_map(category);
  category.emplace_back("Jailbreak");
  c.config["query_category_map"] = label_map(category);
  c.model.remove("lm_head.weight");
  for (const std::string prefix : {"", "query_"}) {
    const std::uint64_t n_category = prefix.empty() ? 8 : 9;
    c.model.tensors.push_back(
        {.name = prefix + "risk_level_category_pre.weight", .dtype = "BF16", .shape = {5, 8}});
    c.model.tensors.push_back(
        {.name = prefix + "risk_level_category_layernorm.weight", .dtype = "BF16", .shape = {5}});
    c.model.tensors.push_back({.name = prefix + "risk_level_head.weight", .dtype = "BF16", .shape = {3, 5}});
    c.model.tensors.push_back(
        {.name = prefix + "category_head.weight", .dtype = "BF16", .shape = {n_category, 5}});
  }
  c.model.lay_out();
  return c;
}

/// The contents as ModelFiles; borrows them.
inline qwen3guard::detail::MemoryFiles files_of(const std::map<std::string, std::string>& contents) {
  std::vector<qwen3guard::detail::MemoryFiles::Entry> entries;
  for (const auto& [name, bytes] : contents)
    entries.push_back({name, std::as_bytes(std::span<const char>(bytes.data(), bytes.size()))});
  return {"memory", std::move(entries)};
}

/// What the library finds in a folder with these contents, borrowed.
inline qwen3guard::Result<std::unique_ptr<const qwen3guard::detail::Checkpoint>> open_folder_of(
    const std::map<std::string, std::string>& contents) {
  using namespace qwen3guard::detail;
  return SafetensorsCheckpoint::open_folder(std::make_unique<MemoryFiles>(files_of(contents)));
}

/// The same of a packed file with these bytes, borrowed.
inline qwen3guard::Result<std::unique_ptr<const qwen3guard::detail::Checkpoint>> open_packed_of(
    const std::string& bytes) {
  return qwen3guard::detail::SafetensorsCheckpoint::open_packed({std::as_bytes(std::span(bytes)), nullptr},
                                                                "m.q3g", {});
}

/// The model in a folder with these contents.
inline qwen3guard::Result<std::shared_ptr<const qwen3guard::detail::Model>> load_model(
    const std::map<std::string, std::string>& contents,
    const qwen3guard::detail::ModelOptions& options = {}) {
  auto checkpoint = open_folder_of(contents);
  if (!checkpoint.ok()) return std::move(checkpoint).error();
  return qwen3guard::detail::Model::load(**checkpoint, options);
}

}  // namespace q3g_test

#endif  // QWEN3GUARD_TESTS_MALFORMED_CHECKPOINT_BUILDER_HPP
