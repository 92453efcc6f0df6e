// SPDX-License-Identifier: Apache-2.0
#include "malformed/catalogue.hpp"

using namespace q3g_test;

namespace {

/// Two shards and their index; `change` edits index text and files afterwards.
std::function<void(CheckpointSpec&)> shards(std::function<void(CheckpointSpec&)> change) {
  return [change = std::move(change)](CheckpointSpec& c) {
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
    c.raw["model.safetensors"] = CheckpointSpec::kAbsent;
    c.raw["a.safetensors"] = a.bytes();
    c.raw["b.safetensors"] = b.bytes();
    c.raw["model.safetensors.index.json"] = "{\"metadata\":{},\"weight_map\":{" + index + "}}";
    change(c);
  };
}
std::function<void(CheckpointSpec&)> index_text(std::string from, std::string to) {
  return shards([=](CheckpointSpec& c) {
    std::string& index = c.raw["model.safetensors.index.json"];
    const std::size_t at = index.find(from);
    if (at == std::string::npos) throw std::logic_error("not in the index: " + from);
    index.replace(at, from.size(), to);
  });
}

std::vector<Case> shard_cases() {
  const auto base = causal_checkpoint;
  const std::string index = "memory/model.safetensors.index.json";
  return {
      {"a shard missing",
       base,
       shards([](CheckpointSpec& c) { c.raw["b.safetensors"] = CheckpointSpec::kAbsent; }),
       ErrorCode::file_not_found,
       {"memory/b.safetensors", index}},
      {"a shard empty",
       base,
       shards([](CheckpointSpec& c) { c.raw["b.safetensors"] = ""; }),
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
       shards([](CheckpointSpec& c) { c.raw["b.safetensors"] = c.raw["a.safetensors"]; }),
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
       shards([](CheckpointSpec& c) { c.raw["model.safetensors.index.json"] = "{\"weight_map\":{}}"; }),
       kBad,
       {index, "empty"}},
      {"weight_map is a list",
       base,
       shards([](CheckpointSpec& c) { c.raw["model.safetensors.index.json"] = "{\"weight_map\":[]}"; }),
       kBad,
       {index, "weight_map"}},
      {"the index is a list",
       base,
       shards([](CheckpointSpec& c) { c.raw["model.safetensors.index.json"] = "[]"; }),
       kBad,
       {index, "weight_map"}},
      {"a file name that is a number",
       base,
       index_text("\"lm_head.weight\":\"a.safetensors\"", "\"lm_head.weight\":1"),
       kBad,
       {index, "lm_head.weight"}},
      {"nothing in the index is what the model needs",
       base,
       shards([](CheckpointSpec& c) {
         c.raw["model.safetensors.index.json"] = "{\"weight_map\":{\"x\":\"a.safetensors\"}}";
       }),
       kBad,
       {index, "model.embed_tokens.weight", "missing"}},
  };
}

}  // namespace

TEST_CASE("malformed: the unbroken checkpoints load", "[model][malformed]") {
  for (const CheckpointSpec& checkpoint : {causal_checkpoint(), guard_checkpoint()}) {
    const auto contents = checkpoint.contents();
    const auto model = load_model(contents);
    INFO((model.ok() ? "" : model.error().detail));
    CHECK(model.ok());
  }
  CheckpointSpec sharded = causal_checkpoint();
  shards([](CheckpointSpec&) {})(sharded);
  const auto contents = sharded.contents();
  CHECK(load_model(contents).ok());
}

TEST_CASE("malformed: shards and their index", "[model][malformed]") { check(shard_cases()); }

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
    std::vector<std::string> names_ending_in(std::string_view ending) const override {
      return files_.names_ending_in(ending);
    }
    std::string name() const override { return files_.name(); }
    std::string display_name(std::string_view name) const override { return files_.display_name(name); }

   private:
    qwen3guard::detail::MemoryFiles files_;
    qwen3guard::detail::DirectoryFiles directory_{Q3G_TEST_DIR "/golden/models/gen_mha_f32"};
  };
  CheckpointSpec checkpoint = causal_checkpoint();
  index_text("a.safetensors", "../gen_gqa2_bf16/model.safetensors")(checkpoint);
  const auto contents = checkpoint.contents();
  const auto opened =
      qwen3guard::detail::SafetensorsCheckpoint::open_folder(std::make_unique<Hostile>(contents));
  REQUIRE_FALSE(opened.ok());
  CHECK(opened.error().code == ErrorCode::bad_checkpoint);
  CHECK(opened.error().detail.find("../gen_gqa2_bf16/model.safetensors") != std::string::npos);
}
